/** Work that is done one piece after another, in the order in which it was asked for. */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();
  private open = 0;

  /** Whether nothing runs and nothing waits. */
  get idle(): boolean {
    return this.open === 0;
  }

  /** Does `work` after all that was asked for before, whether that succeeded or not. Work must not wait for a later turn. */
  run<T>(work: () => Promise<T>): Promise<T> {
    this.open++;
    const own = this.last.then(work).finally(() => {
      this.open--;
    });
    this.last = own.catch(() => {});
    return own;
  }
}
