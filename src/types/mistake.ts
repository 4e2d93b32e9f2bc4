declare const mistake: unique symbol;

/** A type that no value has. The editor shows its text, which says what is wrong and what to write. */
export interface Mistake<Message extends string> {
  readonly [mistake]: Message;
}
