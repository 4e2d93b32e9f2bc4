// A CommonJS file that requires the package; Node and TypeScript allow that for ES modules in their later versions.
import tsbpf = require("tsbpf");
import asm = require("tsbpf/asm");

export const nothing = tsbpf.cgroup.connect4("nothing", () => tsbpf.PROCEED);
export const listing: string = asm.formatListing(nothing.compile().instructions);
console.log(listing.includes("exit") ? "required: ok" : listing);
