/** Where an endpoint stands in a deployment. */
export interface EndpointName {
  namespace: string;
  component: string;
  endpoint: string;
}

/**
 * Reads `dyn://namespace.component.endpoint`; the scheme may be left out, `/` may stand for `.`, what is missing is
 * taken from `otherwise`, and parts beyond the third belong to the endpoint.
 */
export function parseEndpoint(text: string, otherwise: EndpointName): EndpointName {
  const parts = text
    .replace(/^\s*dyn:\/\//, '')
    .replace(/^[\s/.]+|[\s/.]+$/g, '')
    .split(/[./]/)
    .filter((part) => part !== '');
  const [namespace = otherwise.namespace, component = otherwise.component, ...rest] = parts;
  return { namespace, component, endpoint: rest.length === 0 ? otherwise.endpoint : rest.join('_') };
}

export function endpointPath({ namespace, component, endpoint }: EndpointName): string {
  return `${namespace}/${component}/${endpoint}`;
}

/** A name as it may stand in a path of the system: lower case, with underscores for what is special. */
export function slug(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '_')
    .replace(/^_+/, '');
}

/** Escapes all bytes but letters, digits and those given. */
function percentEncode(text: string, kept: RegExp): string {
  let encoded = '';
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte);
    encoded += kept.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** One segment of a scope or topic. */
export function encodeSegment(text: string): string {
  return percentEncode(text, /[A-Za-z0-9_-]/);
}

/** A key as the name of a file. */
export function fileNameOf(key: string): string {
  return percentEncode(key, /[A-Za-z0-9]/);
}

/** The key of a file; undefined for a name that is none. */
export function keyOfFile(name: string): string | undefined {
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}
