import * as assert from "uvu/assert";
import { BpfError, Errno, linux, type Kernel } from "../../kernel/index.ts";
import { eventually, kernelObjects, kernelSuite } from "../../testing/index.ts";
import { waitForRunningPrograms } from "./grace-period.ts";

const test = kernelSuite("grace period");

test("waits by an update of a map of maps, and leaves no map", async () => {
  const updates: number[] = [];
  const watched: Kernel = {
    ...linux,
    mapElements(fd, shape) {
      const elements = linux.mapElements(fd, shape);
      const update = elements.update.bind(elements);
      return Object.assign(elements, {
        update(flags: number) {
          const begin = performance.now();
          update(flags);
          updates.push(performance.now() - begin);
        },
      });
    },
  };
  for (let i = 0; i < 5; i++) waitForRunningPrograms(watched);
  assert.is(updates.length, 5);
  // An update without a wait takes about a microsecond.
  assert.ok(Math.max(...updates) > 0.5, `milliseconds: ${updates.join(", ")}`);
  await eventually(() => assert.equal(kernelObjects(/^grace_/).maps, []));
});

test("leaves nothing if it fails", async () => {
  const failing: Kernel = {
    ...linux,
    mapElements: () => {
      throw new BpfError("BPF_MAP_UPDATE_ELEM", "map grace_period", Errno.ENOMEM);
    },
  };
  assert.throws(() => waitForRunningPrograms(failing), /ENOMEM/);
  await eventually(() => assert.equal(kernelObjects(/^grace_/).maps, []));
});

test.run();
