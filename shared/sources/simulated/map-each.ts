/** Owns lazy mapping of an iterable: one value at a time, never an array of the whole log. */
export function* mapEach<T, U>(values: Iterable<T>, change: (value: T) => U): Generator<U, undefined> {
  for (const value of values) yield change(value);
}
