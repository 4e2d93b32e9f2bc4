/** Types as C declarations. */
import type { Btf } from "./btf.ts";
import { BtfError } from "./format.ts";
import { MAX_DEPTH } from "./resolve.ts";
import type { BtfComposite, BtfEnum } from "./type.ts";

/**
 * The C declaration of `name` with a type: `const char *name`, `__u32 name[4]`, `int (*name)(void *)`.
 * @throws {BtfError} if the types refer to each other without end
 *
 * @example
 * ```ts
 * import { declaration, kernelBtf } from "tsbpf/btf";
 *
 * const btf = kernelBtf();
 * console.log(declaration(btf, btf.find("struct", "sock")!, "sk")); // struct sock sk
 * ```
 */
export function declaration(btf: Btf, id: number, name = ""): string {
  return new Printer(btf).declare(id, name, 0);
}

/**
 * The C definition of a type with its members: `struct x { … };`,
 * `typedef unsigned int __u32;`, `int connect4(struct bpf_sock_addr *ctx);`.
 * @throws {BtfError} if the types refer to each other without end
 *
 * @example
 * ```ts
 * import { definition, kernelBtf } from "tsbpf/btf";
 *
 * const btf = kernelBtf();
 * console.log(definition(btf, btf.find("struct", "list_head")!));
 * ```
 */
export function definition(btf: Btf, id: number): string {
  return new Printer(btf).define(id);
}

/** More types than any sensible definition has; malformed BTF can ask for endless ones. */
const MAX_STEPS = 100_000;

class Printer {
  readonly #btf: Btf;
  #steps = 0;

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  define(id: number): string {
    const type = this.#btf.type(id);
    switch (type.kind) {
      case "struct":
      case "union":
        return `${this.#composite(type, 0)};`;
      case "enum":
      case "enum64":
        return `${enumeration(type)};`;
      case "typedef":
        return `typedef ${this.declare(type.type, type.name, 0)};`;
      case "func":
      case "var":
        return `${type.linkage === "global" ? "" : `${type.linkage} `}${this.declare(type.type, type.name, 0)};`;
      case "datasec":
        return [
          `/* section ${type.name}, ${type.size} bytes */`,
          ...type.variables.map((variable) => `${this.declare(variable.type, "", 0)};`),
        ].join("\n");
      case "decl_tag":
        const component = type.component < 0 ? "" : ` on component ${type.component}`;
        return `/* ${type.name}${component} of ${this.declare(type.type, "", 0)} */`;
      default:
        return `${this.declare(id, "", 0)};`;
    }
  }

  /** Type and declarator grow around the name from the inside out, as in C. */
  declare(id: number, inner: string, depth: number): string {
    if (depth > MAX_DEPTH || ++this.#steps > MAX_STEPS)
      throw new BtfError(`type ${id} cannot be printed: its types refer to each other without end`);
    const type = this.#btf.type(id);
    const around = (head: string) => `${head}${inner === "" || inner.startsWith("[") ? "" : " "}${inner}`;
    switch (type.kind) {
      case "void":
        return around("void");
      case "int":
      case "float":
      case "typedef":
        return around(type.name);
      case "struct":
      case "union":
        return around(type.name === "" ? this.#composite(type, depth + 1) : `${type.kind} ${type.name}`);
      case "enum":
      case "enum64":
        return around(type.name === "" ? enumeration(type) : `enum ${type.name}`);
      case "fwd":
        return around(`${type.union ? "union" : "struct"} ${type.name}`);
      case "ptr": {
        const target = this.#btf.kind(type.type);
        const pointer = `*${inner}`;
        return this.declare(
          type.type,
          target === "array" || target === "func_proto" ? `(${pointer})` : pointer,
          depth + 1,
        );
      }
      case "const":
      case "volatile":
      case "restrict":
        // A qualifier of a pointer stands behind the star.
        return this.#btf.kind(type.type) === "ptr"
          ? this.declare(type.type, inner === "" ? type.kind : `${type.kind} ${inner}`, depth + 1)
          : `${type.kind} ${this.declare(type.type, inner, depth + 1)}`;
      case "type_tag": {
        const tag = `__attribute__((btf_type_tag("${type.name}")))`;
        return this.declare(type.type, inner === "" ? tag : `${tag} ${inner}`, depth + 1);
      }
      case "array":
        return this.declare(type.element, `${inner}[${type.length === 0 ? "" : type.length}]`, depth + 1);
      case "func_proto": {
        const parameters = type.parameters.map((parameter) =>
          parameter.type === 0 && parameter.name === ""
            ? "..."
            : this.declare(parameter.type, parameter.name, depth + 1),
        );
        return this.declare(type.returns, `${inner}(${parameters.join(", ") || "void"})`, depth + 1);
      }
      case "func":
      case "var":
        return this.declare(type.type, type.name, depth + 1);
      default:
        return around(`/* ${type.kind} ${type.name} */`);
    }
  }

  #composite(type: BtfComposite, depth: number): string {
    const lines = type.members.map(
      (member) => `${this.declare(member.type, member.name, depth)}${member.bits === 0 ? "" : `:${member.bits}`};`,
    );
    const head = type.name === "" ? type.kind : `${type.kind} ${type.name}`;
    return lines.length === 0 ? `${head} {}` : `${head} {\n${indent(lines)}\n}`;
  }
}

function enumeration(type: BtfEnum): string {
  const head = type.name === "" ? "enum" : `enum ${type.name}`;
  return `${head} {\n${indent(type.values.map(({ name, value }) => `${name} = ${value},`))}\n}`;
}

function indent(blocks: readonly string[]): string {
  return blocks
    .flatMap((block) => block.split("\n"))
    .map((line) => `\t${line}`)
    .join("\n");
}
