/**
 * Messages from a guest to its host: lines on the console, among other output. The emulator's exit status says
 * nothing, so a guest without a final message has failed.
 */

/** The prefix of our lines; nothing else prints it. */
const marker = "::tsbpf-guest::";

/** One line from the guest. */
export type GuestMessage =
  /** The suite has started. */
  | { readonly type: "start"; readonly release: string; readonly cases: number }
  /** A case has ended. Only the suite interprets `result`. */
  | { readonly type: "result"; readonly result: unknown }
  /** The suite has ended after `results` result lines. */
  | { readonly type: "end"; readonly results: number }
  /** The suite could not run. */
  | { readonly type: "error"; readonly message: string };

/** Formats a message as a line, without the line end. */
export function formatMessage(message: GuestMessage): string {
  // With the length, the host detects truncated and interleaved lines.
  const text = JSON.stringify(message);
  return `${marker}${text.length}:${text}`;
}

/** Reads a guest's console output. */
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
   * Takes the next piece of output, which may end within a line.
   *
   * @param stream The stream of the piece; lines are joined per stream.
   */
  write(stream: string, text: string): void {
    const lines = ((this.#rest.get(stream) ?? "") + text).split(/\r*\n/);
    this.#rest.set(stream, lines.pop()!);
    for (const line of lines) this.#line(line);
  }

  /** Call after the last piece. */
  end(): void {
    for (const stream of this.#rest.keys()) this.write(stream, "\n");
  }

  /** The last lines that are not messages, without colours and other control sequences. */
  tail(lines: number): string[] {
    return [...this.#tail, ...[...this.#rest.values()].map(plain)].filter((line) => line !== "").slice(-lines);
  }

  /** The number of our lines that could not be read. */
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
