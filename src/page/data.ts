/** What a page holds: JSON, compressed and in base 64. */
export async function readData<T>(): Promise<T> {
  const text = document.getElementById('data')!.textContent;
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(unpacked).json();
}
