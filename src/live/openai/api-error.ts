/** A refusal in OpenAI's form. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly status: number,
    message: string,
    readonly detail: { type?: string; param?: string; code?: string; headers?: Record<string, string> } = {},
  ) {
    super(message);
  }

  /** The body of the answer, and of an error frame in a stream. */
  toJSON(): object {
    const { type, param, code } = this.detail;
    return {
      error: {
        message: this.message,
        type: type ?? TYPES[this.status] ?? (this.status < 500 ? 'invalid_request_error' : 'server_error'),
        param: param ?? null,
        code: code ?? null,
      },
    };
  }
}

const TYPES: Record<number, string> = {
  404: 'invalid_request_error',
  429: 'rate_limit_error',
  503: 'service_unavailable_error',
  529: 'overloaded_error',
};

export function badRequest(message: string, param?: string, code?: string): ApiError {
  return new ApiError(400, message, { ...(param && { param }), ...(code && { code }) });
}
