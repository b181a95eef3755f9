/**
 * The element at a place that the caller's loops keep within the array: nothing is checked, as
 * these loops are hot.
 */
export const get = (x: Float64Array, place: number): number => x[place]!;

/** Adds to an element; the place as in `get`. */
export const addTo = (x: Float64Array, place: number, value: number): void => {
  x[place]! += value;
};
