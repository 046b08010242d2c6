/** Owns what BullMQ's own threads run: a job with the kernel. */
import { KERNEL_ITEMS, sandboxed } from './sandboxed.ts';

export default sandboxed(KERNEL_ITEMS);
