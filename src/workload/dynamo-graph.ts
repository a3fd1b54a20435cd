import { InputError } from '../config/input-error.js';
import type { AgenticRequest } from './agentic.js';

/** One finished request of a Dynamo request trace. Times in whole unix milliseconds. */
export interface DynamoRequest {
  id: string;
  sessionId: string | undefined;
  parentSessionId: string | undefined;
  startMs: number;
  endMs: number;
  inputTokens: number;
  outputTokens: number;
  blockTokens: number;
  hashLow: Uint32Array;
  hashHigh: Uint32Array;
}

export interface DynamoTool {
  id: string;
  sessionId: string;
  startMs: number;
  endMs: number;
  sourceRequestId: string | undefined;
  consumerRequestId: string | undefined;
  childSessionId: string | undefined;
  executionMode: string | undefined;
}

/**
 * Turns the recorded requests of agent sessions into a dependency graph with delays, by the rules of the reference's
 * `request_trace` module: a request follows the one before it in its session; a child session hangs between the
 * parent requests that spawned and joined it; the recorded gap after the last dependency becomes the delay.
 * @param requests in start order
 */
export function linkDynamoRequests(
  requests: DynamoRequest[],
  tools: DynamoTool[],
  name: string,
): AgenticRequest[] {
  return new Graph(requests, tools, name).lower();
}

class Graph {
  private readonly byId: Map<string, DynamoRequest>;
  private readonly sessions = new Map<string, DynamoRequest[]>();
  private readonly parents = new Map<string, string>();
  private readonly explicitTool = new Map<string, DynamoTool>();
  private readonly waits = new Map<string, Set<string>>();

  constructor(
    private readonly requests: DynamoRequest[],
    private readonly tools: DynamoTool[],
    private readonly name: string,
  ) {
    this.byId = new Map(requests.map((request) => [request.id, request]));
  }

  lower(): AgenticRequest[] {
    this.groupSessions();
    this.checkTools();
    for (const [, list] of this.sessions)
      list.forEach((request, index) => {
        if (index > 0) this.wait(request, list[index - 1]);
      });
    for (const [session, list] of this.sessions) this.joinChild(session, list);
    this.refuseCycle();
    const first = this.requests[0].startMs;
    return this.requests.map((request) => this.lowerRequest(request, first));
  }

  private fail(problem: string): never {
    throw new InputError(`${this.name}: ${problem}`);
  }

  private groupSessions(): void {
    for (const request of this.requests) {
      const session = request.sessionId!;
      const list = this.sessions.get(session);
      if (list) list.push(request);
      else this.sessions.set(session, [request]);
      const parent = request.parentSessionId;
      if (parent === undefined) continue;
      const known = this.parents.get(session);
      if (known !== undefined && known !== parent)
        this.fail(`session ${session}: conflicting parent_session_id values ${known} and ${parent}`);
      this.parents.set(session, parent);
    }
  }

  private checkTools(): void {
    for (const tool of this.tools) {
      if (tool.executionMode === undefined) continue;
      if (tool.executionMode !== 'blocking' && tool.executionMode !== 'background')
        this.fail(
          `tool ${tool.id}: execution_mode must be blocking or background, found "${tool.executionMode}"`,
        );
      this.checkToolRequest(tool, tool.sourceRequestId);
      if (tool.consumerRequestId !== undefined) this.checkToolRequest(tool, tool.consumerRequestId);
      const child = tool.childSessionId;
      if (child === undefined || !this.sessions.has(child)) continue;
      if (this.explicitTool.has(child))
        this.fail(`session ${child}: several tools name it as their child session`);
      this.explicitTool.set(child, tool);
    }
  }

  private checkToolRequest(tool: DynamoTool, id: string | undefined): void {
    const request = id === undefined ? undefined : this.byId.get(id);
    if (!request) this.fail(`tool ${tool.id}: unknown request ${id}`);
    else if (request.sessionId !== tool.sessionId)
      this.fail(`tool ${tool.id}: request ${id} belongs to another session`);
  }

  private wait(request: DynamoRequest, dependency: DynamoRequest): void {
    const set = this.waits.get(request.id) ?? new Set<string>();
    this.waits.set(request.id, set.add(dependency.id));
  }

  private joinChild(session: string, list: DynamoRequest[]): void {
    const parent = this.parents.get(session);
    const siblings = parent === undefined ? undefined : this.sessions.get(parent);
    if (!siblings) return;
    const first = list[0];
    const last = list.reduce((best, r) => (isLater(r, best) ? r : best));
    const tool = this.explicitTool.get(session);
    if (tool) {
      this.wait(first, this.parentRequest(tool, tool.sourceRequestId!, parent!));
      if (tool.consumerRequestId !== undefined)
        this.wait(this.parentRequest(tool, tool.consumerRequestId, parent!), last);
      return;
    }
    const spawn = siblings.filter((r) => r.startMs <= first.startMs).at(-1);
    if (spawn) this.wait(first, spawn);
    const join = siblings.find((r) => r.startMs >= last.endMs);
    if (join) this.wait(join, last);
  }

  private parentRequest(tool: DynamoTool, id: string, parent: string): DynamoRequest {
    const request = this.byId.get(id)!;
    if (request.sessionId !== parent)
      this.fail(`tool ${tool.id}: request ${id} is not in parent session ${parent}`);
    return request;
  }

  private refuseCycle(): void {
    const dependents = new Map<string, string[]>();
    const missing = new Map<string, number>();
    for (const request of this.requests) {
      const waits = this.waits.get(request.id) ?? new Set<string>();
      missing.set(request.id, waits.size);
      for (const id of waits) dependents.set(id, [...(dependents.get(id) ?? []), request.id]);
    }
    const free = this.requests
      .filter((request) => missing.get(request.id) === 0)
      .map((request) => request.id);
    for (const id of free)
      for (const dependent of dependents.get(id) ?? []) {
        const left = missing.get(dependent)! - 1;
        missing.set(dependent, left);
        if (left === 0) free.push(dependent);
      }
    if (free.length < this.requests.length) this.fail('the dependencies of agent requests contain a cycle');
  }

  private lowerRequest(request: DynamoRequest, firstMs: number): AgenticRequest {
    const waitFor = [...(this.waits.get(request.id) ?? [])];
    const dependencyEndMs = Math.max(...waitFor.map((id) => this.byId.get(id)!.endMs));
    const delayMs = waitFor.length > 0 ? Math.max(0, request.startMs - dependencyEndMs) : 0;
    return {
      id: request.id,
      sessionName: request.sessionId ?? null,
      inputTokens: request.inputTokens,
      outputTokens: request.outputTokens,
      hashLow: request.hashLow,
      hashHigh: request.hashHigh,
      plannedOutput: undefined,
      timestampMs: request.startMs - firstMs,
      dependencies: waitFor.map((requestId) => ({ requestId, onDispatch: false, delayMs })),
      waitsForTime: false,
      priority: 0,
      strictPriority: 0,
      policyClass: undefined,
    };
  }
}

function isLater(a: DynamoRequest, b: DynamoRequest): boolean {
  if (a.endMs !== b.endMs) return a.endMs > b.endMs;
  if (a.startMs !== b.startMs) return a.startMs > b.startMs;
  return a.id > b.id;
}
