/**
 * What a guest tells its host: lines on the console, among whatever else is
 * printed there. The emulator's exit status says nothing, so a guest that does
 * not get to its last line has failed.
 */

/** Begins every line of ours. Nothing else prints it. */
const marker = "::tsbpf-guest::";

/** One line from the guest. */
export type GuestMessage =
  /** The suite has started. */
  | { readonly type: "start"; readonly release: string; readonly cases: number }
  /** A case has ended; what `result` is, is the suite's own affair. */
  | { readonly type: "result"; readonly result: unknown }
  /** The suite has ended, and `results` lines were printed before this one. */
  | { readonly type: "end"; readonly results: number }
  /** The suite could not run. */
  | { readonly type: "error"; readonly message: string };

/** The line to print for a message, without its end. */
export function formatMessage(message: GuestMessage): string {
  // A digit for the length lets the host see that a line was cut or mixed with another.
  const text = JSON.stringify(message);
  return `${marker}${text.length}:${text}`;
}

/** Reads a guest's console as it comes. */
export class ConsoleReader {
  readonly #onMessage: (message: GuestMessage) => void;
  readonly #tail: string[] = [];
  readonly #rest = new Map<string, string>();
  #garbled = 0;

  /** @param onMessage Called for each message, in order. */
  constructor(onMessage: (message: GuestMessage) => void) {
    this.#onMessage = onMessage;
  }

  /**
   * Takes the next piece of output, which need not end at a line's end.
   *
   * @param stream Which of the streams it came from: lines are put together for each by itself.
   */
  write(stream: string, text: string): void {
    const lines = ((this.#rest.get(stream) ?? "") + text).split(/\r*\n/);
    this.#rest.set(stream, lines.pop()!);
    for (const line of lines) this.#line(line);
  }

  /** To be called after the last piece. */
  end(): void {
    for (const stream of this.#rest.keys()) this.write(stream, "\n");
  }

  /** The last lines that were no messages, colours and other control sequences removed. */
  tail(lines: number): string[] {
    return [...this.#tail, ...[...this.#rest.values()].map(plain)].filter((line) => line !== "").slice(-lines);
  }

  /** Lines of ours that could not be read. */
  get garbled(): number {
    return this.#garbled;
  }

  #line(line: string): void {
    const at = line.indexOf(marker);
    if (at < 0) {
      this.#tail.push(plain(line));
      if (this.#tail.length > 400) this.#tail.splice(0, 200);
      return;
    }
    const message = parse(line.slice(at + marker.length));
    if (message === undefined) this.#garbled++;
    else this.#onMessage(message);
  }
}

function parse(text: string): GuestMessage | undefined {
  const colon = text.indexOf(":");
  const body = text.slice(colon + 1);
  if (body.length !== Number(text.slice(0, colon))) return undefined;
  try {
    return JSON.parse(body) as GuestMessage;
  } catch {
    return undefined;
  }
}

const plain = (line: string): string => line.replace(/\u001b\[[0-9;?]*[A-Za-z]|\u001b[c78]|\r/g, "").trimEnd();
