// Labels as a PNG that any program reads: 16 bits of grey per pixel, value = id.
"use strict";

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function pngChunk(kind, body) {
  const chunk = new Uint8Array(body.length + 12), view = new DataView(chunk.buffer);
  view.setUint32(0, body.length);
  for (let i = 0; i < 4; i++) chunk[4 + i] = kind.charCodeAt(i);
  chunk.set(body, 8);
  view.setUint32(8 + body.length, crc32(chunk.subarray(4, 8 + body.length)));
  return chunk;
}

// Blob of `labels` (shown size H x W), each pixel repeated to the image's own size.
async function labelPng(labels, { shown: [H, W], size: [height, width] }) {
  if (maximum(labels) > 65535) throw new Error("ids above 65535 do not fit a 16-bit PNG");
  const raw = new Uint8Array(height * (1 + 2 * width));
  for (let y = 0, at = 0; y < height; y++) {
    raw[at++] = 0; // no filter
    const row = Math.floor((y * H) / height) * W;
    for (let x = 0; x < width; x++) {
      const id = Math.max(0, labels[row + Math.floor((x * W) / width)]);
      raw[at++] = id >> 8;
      raw[at++] = id & 255;
    }
  }
  const stream = new Blob([raw]).stream().pipeThrough(new CompressionStream("deflate"));
  const packed = new Uint8Array(await new Response(stream).arrayBuffer());
  const header = new Uint8Array(13), view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([16, 0, 0, 0, 0], 8);
  const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
  const parts = [signature, pngChunk("IHDR", header), pngChunk("IDAT", packed), pngChunk("IEND", new Uint8Array(0))];
  return new Blob(parts, { type: "image/png" });
}
