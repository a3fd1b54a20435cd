import type { EndedDraft, RequestSource } from './source.js';

/** What a source that stands before another one says as that one does. */
export abstract class WrappedSource {
  readonly hasFeedback = true;

  constructor(protected readonly inner: RequestSource) {}

  get total(): number {
    return this.inner.total;
  }
  get hashBlockTokens(): number {
    return this.inner.hashBlockTokens;
  }
  get hasTokens(): boolean {
    return this.inner.hasTokens;
  }
  get isGraph(): boolean {
    return this.inner.isGraph;
  }

  ended(request: EndedDraft): void {
    this.inner.ended(request);
  }

  sessionName(session: number): string | null {
    return this.inner.sessionName(session);
  }
}
