/** Levenshtein distance: the fewest insertions, deletions and replacements of a character that make `a` into `b`. */
export const editDistance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + Number(a[i - 1] !== b[j - 1])));
    row = next;
  }
  return row[b.length]!;
};

/** The choice closest to `word`, if it is close enough to be what was meant; case is ignored. */
export const nearest = (word: string, choices: readonly string[]): string | undefined => {
  const scored = choices.map((choice) => ({ choice, d: editDistance(word.toLowerCase(), choice.toLowerCase()) }));
  const best = scored.sort((a, b) => a.d - b.d)[0];
  return best && best.d <= Math.floor(Math.max(word.length, best.choice.length) * 0.4) ? best.choice : undefined;
};

/** `; did you mean x?`, or nothing. */
export const didYouMean = (word: string, choices: readonly string[]): string => {
  const guess = nearest(word, choices);
  return guess === undefined ? "" : `; did you mean ${guess}?`;
};
