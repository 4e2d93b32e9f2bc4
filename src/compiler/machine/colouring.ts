/**
 * Iterated register coalescing: George and Appel, "Iterated Register
 * Coalescing" (1996). Registers that are live at the same time are neighbours in a
 * graph and get different colours; both registers of a copy become one where that
 * cannot make the graph harder to colour.
 */
import {
  ALLOCATABLE,
  FIRST_VIRTUAL,
  forEachDefinition,
  forEachTerminatorUse,
  forEachUse,
  FRAME_POINTER,
  isMove,
  type MachineBlock,
  type Register,
} from "./machine.ts";
import { forEachLive, type Liveness } from "./liveness.ts";

export interface Colouring {
  /** By register, its machine register. */
  readonly colours: Int32Array;
  /** Registers that got none. */
  readonly spilled: readonly Register[];
  /** Whether both are live at the same time. */
  interfere(a: Register, b: Register): boolean;
}

const PRECOLOURED = 1,
  SIMPLIFY = 2,
  FREEZE = 3,
  SPILL = 4,
  COALESCED = 5,
  STACKED = 6;
const MOVE_WAITING = 0,
  MOVE_ACTIVE = 1,
  MOVE_DONE = 2;
const ENDLESS = 1 << 29;

/** Caller-saved registers first: callee-saved ones cost a save. */
const preference: readonly Register[] = [1, 2, 3, 4, 5, 0, 6, 7, 8, 9];

/**
 * @param cost by register, the cost of spilling it
 */
export function colour(
  blocks: readonly MachineBlock[],
  registerCount: number,
  live: Liveness,
  cost: Float64Array,
): Colouring {
  return new Graph(blocks, registerCount, live, cost).run();
}

class Graph {
  private readonly count: number;
  private readonly cost: Float64Array;
  private readonly matrix: Uint32Array;
  private readonly rowWords: number;
  private readonly neighbours: Register[][];
  private readonly degree: Int32Array;
  private readonly state: Uint8Array;
  private readonly alias: Int32Array;
  private readonly movesOf: number[][];
  private readonly moveDst: Register[] = [];
  private readonly moveSrc: Register[] = [];
  private readonly moveWeight: number[] = [];
  private moveState: Uint8Array = new Uint8Array();
  private readonly simplifyList: Register[] = [];
  private readonly freezeList: Register[] = [];
  private readonly spillList: Register[] = [];
  private moveList: number[] = [];
  private readonly selected: Register[] = [];

  constructor(blocks: readonly MachineBlock[], registerCount: number, live: Liveness, cost: Float64Array) {
    this.count = registerCount;
    this.cost = cost;
    this.rowWords = (registerCount + 31) >> 5;
    this.matrix = new Uint32Array(registerCount * this.rowWords);
    this.neighbours = Array.from({ length: registerCount }, () => []);
    this.movesOf = Array.from({ length: registerCount }, () => []);
    this.degree = new Int32Array(registerCount);
    this.state = new Uint8Array(registerCount);
    this.alias = new Int32Array(registerCount);
    for (let register = 0; register < FIRST_VIRTUAL; register++) {
      this.state[register] = PRECOLOURED;
      this.degree[register] = ENDLESS;
    }
    this.build(blocks, live);
  }

  run(): Colouring {
    for (let register = FIRST_VIRTUAL; register < this.count; register++) this.classify(register);
    this.moveState = new Uint8Array(this.moveDst.length);
    // Most expensive copies first: the list is taken from its end.
    this.moveList = this.moveDst
      .map((_, move) => move)
      .sort((a, b) => this.moveWeight[a]! - this.moveWeight[b]! || b - a);
    while (this.simplify() || this.coalesce() || this.freeze() || this.selectSpill());
    return this.assign();
  }

  private build(blocks: readonly MachineBlock[], { words, liveOut }: Liveness): void {
    // A set with iteration, and insertion and removal in constant time.
    const members = new Int32Array(this.count);
    const place = new Int32Array(this.count).fill(-1);
    let size = 0;
    const add = (register: Register): void => {
      if (place[register]! >= 0) return;
      place[register] = size;
      members[size++] = register;
    };
    const remove = (register: Register): void => {
      const at = place[register]!;
      if (at < 0) return;
      const last = members[--size]!;
      members[at] = last;
      place[last] = at;
      place[register] = -1;
    };
    const interfere = (register: Register): void => {
      for (let m = 0; m < size; m++) this.addEdge(register, members[m]!);
    };
    blocks.forEach((block, b) => {
      while (size > 0) remove(members[size - 1]!);
      forEachLive(liveOut, words, b, add);
      forEachTerminatorUse(block.terminator, add);
      const weight = 10 ** Math.min(block.depth, 6);
      for (let i = block.instructions.length - 1; i >= 0; i--) {
        const instruction = block.instructions[i]!;
        if (isMove(instruction) && instruction.src !== FRAME_POINTER) {
          remove(instruction.src);
          const move = this.moveDst.push(instruction.dst) - 1;
          this.moveSrc.push(instruction.src);
          this.moveWeight.push(weight);
          this.movesOf[instruction.dst]!.push(move);
          this.movesOf[instruction.src]!.push(move);
        }
        forEachDefinition(instruction, add);
        forEachDefinition(instruction, interfere);
        forEachDefinition(instruction, remove);
        forEachUse(instruction, add);
      }
    });
  }

  private adjacent(a: Register, b: Register): boolean {
    return (this.matrix[a * this.rowWords + (b >> 5)]! & (1 << (b & 31))) !== 0;
  }

  private addEdge(a: Register, b: Register): void {
    if (a === b || this.adjacent(a, b)) return;
    this.matrix[a * this.rowWords + (b >> 5)]! |= 1 << (b & 31);
    this.matrix[b * this.rowWords + (a >> 5)]! |= 1 << (a & 31);
    if (this.state[a] !== PRECOLOURED) {
      this.neighbours[a]!.push(b);
      this.degree[a]!++;
    }
    if (this.state[b] !== PRECOLOURED) {
      this.neighbours[b]!.push(a);
      this.degree[b]!++;
    }
  }

  private isGone(register: Register): boolean {
    return this.state[register] === STACKED || this.state[register] === COALESCED;
  }

  private isMoveRelated(register: Register): boolean {
    return this.movesOf[register]!.some((move) => this.moveState[move] !== MOVE_DONE);
  }

  private classify(register: Register): void {
    if (this.degree[register]! >= ALLOCATABLE) this.put(register, SPILL);
    else if (this.movesOf[register]!.length > 0) this.put(register, FREEZE);
    else this.put(register, SIMPLIFY);
  }

  private put(register: Register, state: number): void {
    if (this.state[register] === state) return;
    this.state[register] = state;
    (state === SIMPLIFY ? this.simplifyList : state === FREEZE ? this.freezeList : this.spillList).push(register);
  }

  private simplify(): boolean {
    const register = this.simplifyList.pop();
    if (register === undefined) return false;
    if (this.state[register] === SIMPLIFY) this.select(register);
    return true;
  }

  private select(register: Register): void {
    this.state[register] = STACKED;
    this.selected.push(register);
    for (const neighbour of this.neighbours[register]!) if (!this.isGone(neighbour)) this.lowerDegree(neighbour);
  }

  private lowerDegree(register: Register): void {
    if (this.state[register] === PRECOLOURED) return;
    const before = this.degree[register]!--;
    if (before !== ALLOCATABLE) return;
    this.enableMoves(register);
    for (const neighbour of this.neighbours[register]!) if (!this.isGone(neighbour)) this.enableMoves(neighbour);
    if (this.state[register] === SPILL) this.put(register, this.isMoveRelated(register) ? FREEZE : SIMPLIFY);
  }

  private enableMoves(register: Register): void {
    for (const move of this.movesOf[register]!) {
      if (this.moveState[move] !== MOVE_ACTIVE) continue;
      this.moveState[move] = MOVE_WAITING;
      this.moveList.push(move);
    }
  }

  private resolve(register: Register): Register {
    while (this.state[register] === COALESCED) register = this.alias[register]!;
    return register;
  }

  private coalesce(): boolean {
    const move = this.moveList.pop();
    if (move === undefined) return false;
    if (this.moveState[move] !== MOVE_WAITING) return true;
    let kept = this.resolve(this.moveDst[move]!);
    let joined = this.resolve(this.moveSrc[move]!);
    if (this.state[joined] === PRECOLOURED) [kept, joined] = [joined, kept];
    if (kept === joined) {
      this.moveState[move] = MOVE_DONE;
      this.release(kept);
    } else if (this.state[joined] === PRECOLOURED || this.adjacent(kept, joined)) {
      this.moveState[move] = MOVE_DONE;
      this.release(kept);
      this.release(joined);
    } else if (this.state[kept] === PRECOLOURED ? this.georgeSafe(kept, joined) : this.briggsSafe(kept, joined)) {
      this.moveState[move] = MOVE_DONE;
      this.combine(kept, joined);
      this.release(kept);
    } else {
      this.moveState[move] = MOVE_ACTIVE;
    }
    return true;
  }

  /** Every neighbour of `joined` is already a neighbour of `kept`, or easy to colour. */
  private georgeSafe(kept: Register, joined: Register): boolean {
    return this.neighbours[joined]!.every(
      (neighbour) =>
        this.isGone(neighbour) ||
        this.degree[neighbour]! < ALLOCATABLE ||
        this.state[neighbour] === PRECOLOURED ||
        this.adjacent(neighbour, kept),
    );
  }

  /** Joined, they have fewer difficult neighbours than there are colours. */
  private briggsSafe(kept: Register, joined: Register): boolean {
    let difficult = 0;
    for (const neighbour of this.neighbours[kept]!) {
      if (this.isGone(neighbour)) continue;
      // A common neighbour loses one edge when the two are joined.
      const degree =
        this.degree[neighbour]! - (this.adjacent(neighbour, joined) && this.state[neighbour] !== PRECOLOURED ? 1 : 0);
      if (degree >= ALLOCATABLE) difficult++;
    }
    for (const neighbour of this.neighbours[joined]!) {
      if (!this.isGone(neighbour) && !this.adjacent(neighbour, kept) && this.degree[neighbour]! >= ALLOCATABLE)
        difficult++;
    }
    return difficult < ALLOCATABLE;
  }

  private release(register: Register): void {
    if (this.state[register] === FREEZE && this.degree[register]! < ALLOCATABLE && !this.isMoveRelated(register))
      this.put(register, SIMPLIFY);
  }

  private combine(kept: Register, joined: Register): void {
    this.state[joined] = COALESCED;
    this.alias[joined] = kept;
    this.cost[kept]! += this.cost[joined]!;
    for (const move of this.movesOf[joined]!) this.movesOf[kept]!.push(move);
    this.enableMoves(joined);
    for (const neighbour of this.neighbours[joined]!) {
      if (this.isGone(neighbour)) continue;
      this.addEdge(neighbour, kept);
      this.lowerDegree(neighbour);
    }
    if (this.state[kept] === FREEZE && this.degree[kept]! >= ALLOCATABLE) this.put(kept, SPILL);
  }

  private freeze(): boolean {
    const register = this.freezeList.pop();
    if (register === undefined) return false;
    if (this.state[register] !== FREEZE) return true;
    this.put(register, SIMPLIFY);
    this.freezeMoves(register);
    return true;
  }

  private freezeMoves(register: Register): void {
    for (const move of this.movesOf[register]!) {
      if (this.moveState[move] === MOVE_DONE) continue;
      this.moveState[move] = MOVE_DONE;
      const dst = this.resolve(this.moveDst[move]!);
      const other = dst === this.resolve(register) ? this.resolve(this.moveSrc[move]!) : dst;
      this.release(other);
    }
  }

  private selectSpill(): boolean {
    let best = -1;
    let bestValue = Infinity;
    let kept = 0;
    for (const register of this.spillList) {
      if (this.state[register] !== SPILL) continue;
      this.spillList[kept++] = register;
      const value = this.cost[register]! / this.degree[register]!;
      if (best < 0 || value < bestValue) {
        best = register;
        bestValue = value;
      }
    }
    this.spillList.length = kept;
    if (best < 0) return false;
    this.put(best, SIMPLIFY);
    this.freezeMoves(best);
    return true;
  }

  private assign(): Colouring {
    const colours = new Int32Array(this.count).fill(-1);
    for (let register = 0; register < FIRST_VIRTUAL; register++) colours[register] = register;
    const spilled: Register[] = [];
    while (this.selected.length > 0) {
      const register = this.selected.pop()!;
      let taken = 0;
      for (const neighbour of this.neighbours[register]!) {
        const colour = colours[this.resolve(neighbour)]!;
        if (colour >= 0) taken |= 1 << colour;
      }
      colours[register] = this.choose(register, taken, colours);
      if (colours[register] === -1) spilled.push(register);
    }
    for (let register = FIRST_VIRTUAL; register < this.count; register++) {
      if (this.state[register] === COALESCED) colours[register] = colours[this.resolve(register)]!;
    }
    const all = new Set(spilled);
    for (let register = FIRST_VIRTUAL; register < this.count; register++) {
      if (this.state[register] === COALESCED && all.has(this.resolve(register))) spilled.push(register);
    }
    return { colours, spilled, interfere: (a, b) => this.adjacent(a, b) };
  }

  /** The colour of a register that it is copied from or to, if free. */
  private choose(register: Register, taken: number, colours: Int32Array): number {
    for (const move of this.movesOf[register]!) {
      const dst = this.resolve(this.moveDst[move]!);
      const other = dst === register ? this.resolve(this.moveSrc[move]!) : dst;
      const colour = colours[other]!;
      if (colour >= 0 && colour < ALLOCATABLE && (taken & (1 << colour)) === 0) return colour;
    }
    for (const colour of preference) if ((taken & (1 << colour)) === 0) return colour;
    return -1;
  }
}
