import type { ServerResponse } from 'node:http';
import type { Answer, Dialect } from './answer.js';
import { ApiError } from './api-error.js';
import type { Fault, FaultSet } from './faults.js';
import type { Choice, Finish, Piece } from './generation.js';

/** Bytes that may wait for a client that does not read. */
const MOST_UNREAD_BYTES = 4 << 20;

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
};

/** Who makes the answer. */
export interface StreamServer {
  breakWorker(choice: Choice, fault: Fault): void;
  failureOf(finish: Finish | undefined): ApiError | undefined;
  /** Nobody hears the answer any more. */
  abandon(): void;
}

/** Streams that have something to write when this turn of the event loop is over. */
let due: AnswerStream[] = [];

function flushDue(): void {
  const streams = due;
  due = [];
  for (const stream of streams) stream.flush();
}

/** Tells an answer as it comes, as server-sent events, and breaks it where that is asked for. */
export class AnswerStream {
  private frames = 0;
  private reasoningFrames = 0;
  private toolFrames = 0;
  private isOver = false;
  private endedChoices = 0;
  private breaking: Fault | undefined;
  /** Frames of this turn: one write for all of them, however many passes a late turn catches up with. */
  private waiting = '';

  constructor(
    private readonly outgoing: ServerResponse,
    private readonly answer: Answer,
    private readonly dialect: Dialect,
    private readonly faults: FaultSet,
    private readonly server: StreamServer,
  ) {
    this.breaking = faults.breaking;
    outgoing.on('error', () => undefined);
    outgoing.on('close', () => {
      if (this.isOver && outgoing.writableFinished) return;
      this.isOver = true;
      server.abandon();
    });
  }

  open(headers: Record<string, string>): void {
    const { outgoing } = this;
    outgoing.writeHead(200, { ...HEADERS, ...headers });
    outgoing.flushHeaders();
    const opening = this.dialect.opening(this.answer);
    if (opening !== '') outgoing.write(opening);
  }

  piece(choice: Choice, piece: Piece): void {
    if (this.isOver || (piece.text === '' && piece.kind === 'text')) return;
    if (piece.kind === 'reasoning') this.reasoningFrames++;
    if (piece.kind === 'tool') this.toolFrames++;
    const frame = this.dialect.piece(this.answer, choice, piece);
    if (this.breaking && this.breaks(this.breaking, choice, frame)) return;
    this.frames++;
    this.tell(frame);
  }

  private tell(frame: string): void {
    if (this.waiting === '' && due.push(this) === 1) setImmediate(flushDue);
    this.waiting += frame;
  }

  /** Writes what waits. */
  flush(): void {
    const { outgoing, waiting } = this;
    if (waiting === '' || outgoing.destroyed) return;
    this.waiting = '';
    const { socket, chunkedEncoding } = outgoing;
    // A chunk in one piece is one string for the socket; Node's own framing makes four of it.
    if (socket && chunkedEncoding)
      socket.write(`${Buffer.byteLength(waiting).toString(16)}\r\n${waiting}\r\n`);
    else outgoing.write(waiting);
    if (outgoing.writableLength > MOST_UNREAD_BYTES) this.cut();
  }

  ended(choice: Choice): void {
    if (this.isOver) return;
    const failure = this.server.failureOf(choice.finish);
    if (failure) {
      this.fail(failure);
      return;
    }
    this.tell(this.dialect.choiceEnded(this.answer, choice));
    if (++this.endedChoices === this.answer.choices.length) this.close();
  }

  private close(): void {
    const { outgoing, dialect, faults, answer } = this;
    this.isOver = true;
    this.flush();
    const usage = faults.find('no-usage') ? '' : dialect.closing(answer);
    outgoing.end(usage + (faults.find('no-done') ? '' : dialect.done));
  }

  /** Tells an error in place of what would come. */
  fail(error: ApiError): void {
    this.isOver = true;
    this.flush();
    this.outgoing.end(this.dialect.failure(error.toJSON()));
    this.server.abandon();
  }

  /** Whether the stream breaks at a frame. */
  private breaks(fault: Fault, choice: Choice, frame: string): boolean {
    switch (fault.kind) {
      case 'cut-reasoning':
        if (this.reasoningFrames <= fault.after) return false;
        break;
      case 'cut-tool':
        if (this.toolFrames <= fault.after) return false;
        break;
      default:
        if (this.frames < fault.after) return false;
    }
    this.breakWith(fault, choice, frame);
    return true;
  }

  private breakWith(fault: Fault, choice: Choice, frame: string): void {
    const { outgoing } = this;
    this.flush();
    switch (fault.kind) {
      case 'worker-death':
      case 'worker-hang':
        this.tell(frame);
        this.breaking = undefined;
        this.server.breakWorker(choice, fault);
        return;
      case 'error-frame':
        this.fail(new ApiError(500, 'the engine failed (injected)', { code: 'injected' }));
        return;
      case 'stall':
        this.isOver = true;
        setTimeout(() => outgoing.destroy(), fault.ms).unref();
        this.server.abandon();
        return;
      case 'reset':
        outgoing.socket?.resetAndDestroy();
        this.cut();
        return;
      case 'cut-frame':
        outgoing.write(frame.slice(0, frame.length / 2), () => this.cut());
        break;
      case 'cut-character':
        outgoing.write(this.halfCharacter(choice), () => this.cut());
        break;
      default:
        this.cut();
        return;
    }
    this.isOver = true;
  }

  /** A frame up to the first byte of a character of several. */
  private halfCharacter(choice: Choice): Buffer {
    const frame = Buffer.from(this.dialect.piece(this.answer, choice, { kind: 'text', text: '漢', id: -1 }));
    return frame.subarray(0, frame.indexOf('漢') + 1);
  }

  private cut(): void {
    this.isOver = true;
    this.flush();
    // What has been written leaves in this turn.
    setImmediate(() => this.outgoing.destroy());
    this.server.abandon();
  }
}
