/**
 * Owns how the C library gives memory back. By default glibc raises the size from which it maps memory on its own, up to 32 MiB, with the first
 * large buffers that are freed; smaller ones then stay in the arenas of threads that have long ended: four leaks of 400 MiB left 1.1 GiB behind.
 * Naming the threshold holds it where it starts. It is read when a process starts, so who starts one sets it.
 */
export const ALLOCATOR_ENV = { MALLOC_TRIM_THRESHOLD_: '131072' } as const;
