import type { EndpointName } from '../discovery/names.js';
import type { RequestTransport } from '../discovery/records.js';
import type { Handler } from './call-home.js';

/** How requests come to the endpoints of a process. */
export interface RequestPlane {
  /** Takes requests for an endpoint. @returns how it can be reached */
  serve(name: EndpointName, instanceId: bigint, handler: Handler): Promise<RequestTransport>;
  /** Takes no more requests for an endpoint; those that came are served. */
  withdraw(name: EndpointName, instanceId: bigint): Promise<void>;
  close(): Promise<void>;
}

/** The acknowledgement that makes a frontend answer 529, by its beginning. */
export const OVERLOADED = 'Server overloaded: worker at capacity';
