/** Changes services thousands of times while processes use them, and counts wrong answers. */
import * as assert from "uvu/assert";
import { Scope } from "../../programs/index.ts";
import { PinDirectory } from "../loader/index.ts";
import { toolSuite } from "../testing/index.ts";
import { applyPlans, controlMaps, OWNER, readState } from "./apply/index.ts";
import { planServices } from "./plan/index.ts";
import { endpointText, type Protocol, type ServiceDefinition } from "./model/index.ts";
import { withLoaded } from "./testing/loaded.ts";
import { withSteadyTraffic, type Question } from "./testing/steady-traffic.ts";
import { reverseEntries } from "./testing/reverse-entries.ts";

const test = toolSuite("services that change under traffic", ["python3"], { kernel: true });

const HOST = "20.0.0.1";
const SERVICES = Array.from({ length: 12 }, (_, i) => ({ address: `100.0.1.${i + 1}`, port: 53 }));
/** Each service has its own backends, so that an answer shows whose slots were read. */
const poolOf = (service: number): string[] => [0, 1, 2, 3].map((i) => `${HOST}:${8000 + 4 * service + i}`);
const ROUNDS = 170;

/** The backends of a service for a while. Empty: it did not exist, and its address was an ordinary one. */
interface Period {
  /** Nanoseconds of CLOCK_MONOTONIC: before the first write of the change. */
  readonly begin: bigint;
  readonly backends: readonly string[];
  /** After the change that ended it had returned. */
  end: bigint;
}

/** Reproducible pseudo-random numbers (Marsaglia's xorshift). */
function* numbers(): Generator<number, never> {
  for (let state = 2463534242; ; ) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield state >>> 0;
  }
}

const definition = (service: number, protocol: Protocol, backends: readonly string[]): ServiceDefinition => ({
  name: `${protocol}-${service}`,
  protocol,
  frontEnds: [{ ...SERVICES[service]!, scope: Scope.EVERYWHERE, flags: 0 }],
  backends: backends.map((text) => ({ address: HOST, port: Number(text.split(":")[1]), weight: 1, state: "active" })),
  affinityTimeout: 0,
});

/** The fault of an answer; undefined if it is right. */
function fault({ way, service, begin, end, answer, source }: Question, history: readonly Period[]): string | undefined {
  const own = endpointText(SERVICES[service]!);
  const periods = history.filter((period) => period.begin < end && period.end > begin);
  const allowed = periods.flatMap(({ backends }) => (backends.length === 0 ? [own] : backends));
  if (!allowed.includes(answer)) return `${way}: ${own} was answered by ${answer} instead of ${allowed.join(", ")}`;
  if (source === undefined) return `${way}: an answer of ${answer} from nowhere`;
  // After its service is gone, a backend appears under its own address. Streams remember nothing.
  const shown = [
    ...(periods.some(({ backends }) => backends.length === 0) || way === "TCP" ? [answer] : []),
    ...(way === "TCP" ? [] : [own]),
  ];
  return shown.includes(endpointText(source))
    ? undefined
    : `${way}: the answer of ${answer} for ${own} came from ${endpointText(source)}`;
}

/** Lasting sockets that left a backend although their service kept it. */
function deserters(questions: readonly Question[], histories: readonly (readonly Period[])[]): string[] {
  return SERVICES.flatMap((service, i) => {
    const asked = questions.filter((question) => question.way === "lasting UDP" && question.service === i);
    return asked.slice(1).flatMap((question, j) => {
      const before = asked[j]!;
      const kept = histories[i]!.filter((period) => period.begin < question.end && period.end > before.begin).every(
        ({ backends }) => backends.includes(before.answer),
      );
      return kept && question.answer !== before.answer
        ? [`the socket of ${endpointText(service)} left ${before.answer} for ${question.answer}`]
        : [];
    });
  });
}

test("thousands of changes of services under full traffic: no wrong answer", () => {
  const own = SERVICES.map(endpointText);
  const backends = [...SERVICES.flatMap((_, i) => poolOf(i)), ...own];
  return withLoaded(
    [HOST, ...SERVICES.map(({ address }) => address)],
    { tcp: backends, udp: backends },
    async ({ load, place, status }) => {
      const random = numbers();
      await load({ services: [] });
      const maps = controlMaps(PinDirectory.open(status().pins, OWNER)!, ["ipv4"]);
      const ipv4 = maps.families.get("ipv4")!;
      let changes = 0;
      const histories: Period[][] = SERVICES.map(() => [{ begin: 0n, end: 1n << 62n, backends: [] }]);
      /** Gives services other backends, or removes them. */
      const change = (): void => {
        const wanted = SERVICES.map((_, i) => {
          const set = random.next().value;
          // One in eight does not exist for now; the others have some backends of their pool.
          return set % 8 === 0 ? [] : poolOf(i).filter((_, bit) => ((((set >>> 3) % 15) + 1) & (1 << bit)) !== 0);
        });
        const definitions = wanted.flatMap((backends, i) =>
          backends.length === 0 ? [] : (["tcp", "udp"] as const).map((protocol) => definition(i, protocol, backends)),
        );
        const begin = process.hrtime.bigint();
        const plan = planServices(readState(ipv4), definitions);
        applyPlans(maps, new Map([["ipv4", plan]]));
        changes += plan.added + plan.changed + plan.removed;
        const end = process.hrtime.bigint();
        for (const [i, history] of histories.entries()) {
          history.at(-1)!.end = end;
          history.push({ begin, end: 1n << 62n, backends: wanted[i]! });
        }
      };
      const questions = await withSteadyTraffic(place, SERVICES, async () => {
        for (let i = 0; i < ROUNDS; i++) {
          change();
          await new Promise((later) => setTimeout(later, 20));
        }
      });
      const wrong = [
        ...questions
          .map((question) => fault(question, histories[question.service]!))
          .filter((text) => text !== undefined),
        ...deserters(questions, histories),
      ];
      assert.equal(wrong.slice(0, 5), [], `${wrong.length} wrong answers of ${questions.length}`);
      // There was enough that could go wrong.
      const direct = questions.filter(({ service, answer }) => answer === own[service]).length;
      assert.ok(changes > 3_000, `${changes} changes`);
      assert.ok(
        questions.length > 20 * ROUNDS && direct > 50 && direct < questions.length / 3,
        `${questions.length} questions, ${direct} answered by no service`,
      );
      assert.equal(reverseEntries(status()), [0, 0]);
    },
  );
});

test.run();
