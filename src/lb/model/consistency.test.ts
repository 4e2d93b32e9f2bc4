import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkServices, type CheckedService } from "./consistency.ts";
import { completeState } from "./desired-state.ts";
import { fieldText } from "./field-path.ts";

const test = suite("consistency checks");

const web: CheckedService = { name: "web", protocol: "tcp", address: "100.0.0.1", port: 80, backends: [] };

/** The problems of services that no file names. */
function problems(...services: readonly (CheckedService | undefined)[]): string[] {
  const found: string[] = [];
  checkServices({ ...completeState({ services: [] }), services }, (path, message) =>
    found.push(`${fieldText(path)}: ${message}`),
  );
  return found;
}

test("a consistent state has no problems", () => {
  assert.equal(problems(web, { ...web, name: "dns", protocol: "udp" }), []);
  // As a source gives it that fills in every field.
  assert.equal(problems({ ...web, localRedirect: true, externalAddresses: [], nodePort: undefined }), []);
});

test("problems have the path of their field, and name the other field", () => {
  assert.equal(problems(web, undefined, { ...web, port: 81 }, { ...web, name: "other" }), [
    'services[2].name: expected a unique name, but services[0] is named "web" too',
    "services[3]: expected a unique address, port and protocol, but services[0] is 100.0.0.1:80/tcp too",
  ]);
  assert.equal(
    problems({
      ...web,
      backends: ["20.0.0.1", "fd00::1"].map((address) => ({ address, port: 80, weight: 1, state: "active" })),
    }),
    ["services[0].backends[1]: expected an IPv4 address like the service's others, but found fd00::1"],
  );
});

test("an invalid field is not reported as missing, and a missing one is", () => {
  const { port: _, ...without } = web;
  assert.equal(problems(without), ["services[0].port: expected a whole number from 1 to 65535, but it is missing"]);
  assert.equal(problems({ ...without, invalid: new Set(["port"]) }), []);
});

test("the place of the other field is the source's own text", () => {
  const found: string[] = [];
  checkServices(
    { ...completeState({ services: [] }), services: [web, { ...web, port: 81 }] },
    (_, message) => found.push(message),
    (path) => `service number ${Number(path[1]) + 1}`,
  );
  assert.equal(found, ['expected a unique name, but service number 1 is named "web" too']);
});

test.run();
