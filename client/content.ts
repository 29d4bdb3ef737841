/** Bytes of an answer, as a stream or at once; read them one way only. */
export interface FileContent {
  /** Without its quotes, as `files.write` takes it. */
  etag?: string;
  sizeBytes?: number;
  body: ReadableStream<Uint8Array>;
  bytes(): Promise<Uint8Array>;
  text(): Promise<string>;
}

export function contentOf(response: Response): FileContent {
  const etag = response.headers.get('etag');
  const length = response.headers.get('content-length');
  return {
    ...(etag === null ? {} : { etag: etag.replace(/^"(.*)"$/, '$1') }),
    ...(length === null ? {} : { sizeBytes: Number(length) }),
    get body() {
      return response.body ?? new Blob([]).stream();
    },
    bytes: async () => new Uint8Array(await response.arrayBuffer()),
    text: () => response.text(),
  };
}
