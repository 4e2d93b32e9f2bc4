/**
 * Values in the words of errors. A value of the running program is an object
 * while the program is built: JavaScript would convert it without a word, to
 * `NaN` or to `[object Object]`. Here each conversion throws.
 */
import { BuildError } from "./errors.ts";
import { placeOfCall } from "./source.ts";

/** What values of a class are called, and what to write where they stand in a wrong place. */
interface Description {
  readonly what: string;
  readonly remedy: string;
}

const description = Symbol("description");

/**
 * Describes the values of a class of the running program, and makes JavaScript's
 * conversions of them throw a `BuildError` with their line. `console.log` shows
 * the description.
 *
 * @param prototype what the values inherit from
 * @param describe what a value is, and what to write
 */
export function describeValues<T extends object>(prototype: T, describe: (value: T) => Description): void {
  const refuse = (why: (hint: unknown) => string) =>
    function refused(this: T, hint?: unknown): never {
      const { what, remedy } = describe(this);
      throw new BuildError(
        `${what} gets its value when the program runs, and ${why(hint)} while it is built: ${remedy}`,
        placeOfCall(refused)(),
      );
    };
  const members: Record<symbol | string, unknown> = {
    [Symbol.toPrimitive]: refuse((hint) => (hint === "string" ? "has no text" : "JavaScript cannot compute with it")),
    toString: refuse(() => "has no text"),
    toJSON: refuse(() => "has no JSON"),
    [Symbol.iterator]: refuse(() => "JavaScript cannot iterate over it"),
    [Symbol.for("nodejs.util.inspect.custom")]: function (this: T) {
      return `<${describe(this).what}>`;
    },
  };
  for (const key of Reflect.ownKeys(members)) {
    Object.defineProperty(prototype, key, { value: members[key as string], configurable: true });
  }
  Object.defineProperty(prototype, description, {
    get(this: T) {
      return describe(this);
    },
  });
}

function descriptionOf(value: unknown): Description | undefined {
  return typeof value === "object" && value !== null && description in value
    ? (value as { readonly [description]: Description })[description]
    : undefined;
}

/** What a value is, for errors. */
export function shown(value: unknown): string {
  const known = descriptionOf(value);
  if (known !== undefined) return known.what;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof Promise) return "a promise";
  if ("constant" in value && "value" in value) return `${String(value.constant)}(${String(value.value)})`;
  return Array.isArray(value) ? "an array" : "an object";
}

/** What to write instead of a value in a wrong place, behind a colon; empty where nothing is known of it. */
export function adviceFor(value: unknown): string {
  if (value === undefined) return ": the name is misspelt, or the function returns nothing";
  const known = descriptionOf(value);
  return known === undefined ? "" : `: ${known.remedy}`;
}
