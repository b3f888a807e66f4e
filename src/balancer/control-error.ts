/** What the operator asked for cannot be done, in a sentence for the operator. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
}
