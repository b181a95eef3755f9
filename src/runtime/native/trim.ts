import koffi from "koffi";

/** glibc's `malloc_trim`; undefined where the C library is another one. The library is held, or koffi would unload it. */
const load = () => {
  if (process.platform !== "linux") return undefined;
  try {
    const library = koffi.load("libc.so.6");
    return { library, trim: library.func("int malloc_trim(size_t)") as (keep: number) => number };
  } catch {
    return undefined;
  }
};

let allocator: ReturnType<typeof load> | "unknown" = "unknown";

/**
 * Gives memory of released programs back to the system. glibc keeps what was freed, in the arena of each thread: a process that
 * compiles many programs in turn, and keeps a few, would grow by half.
 */
export const giveBackMemory = (): void => {
  if (allocator === "unknown") allocator = load();
  allocator?.trim(0);
};
