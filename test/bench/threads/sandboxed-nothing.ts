/** Owns what BullMQ's own threads run: a job without a kernel. */
import { sandboxed } from './sandboxed.ts';

export default sandboxed(0);
