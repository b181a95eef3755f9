import { maskedCrc32c } from "./crc32c.js";

/** A picture as TensorBoard takes it. */
export type EventImage = { readonly png: Uint8Array; readonly width: number; readonly height: number };

const concatBytes = (parts: readonly Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};

// The few protobuf wire forms that tensorflow.Event needs (event.proto, summary.proto).
const varint = (value: number): Uint8Array => {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Uint8Array.of(...bytes, rest);
};
const tag = (field: number, wire: number): Uint8Array => varint(field * 8 + wire);
const integerField = (field: number, value: number): Uint8Array => concatBytes([tag(field, 0), varint(value)]);
const bytesField = (field: number, value: Uint8Array): Uint8Array =>
  concatBytes([tag(field, 2), varint(value.length), value]);
const textField = (field: number, value: string): Uint8Array => bytesField(field, new TextEncoder().encode(value));
const floatField = (field: number, value: number): Uint8Array =>
  concatBytes([tag(field, 5), new Uint8Array(Float32Array.of(value).buffer)]);
const doubleField = (field: number, value: number): Uint8Array =>
  concatBytes([tag(field, 1), new Uint8Array(Float64Array.of(value).buffer)]);

/** TFRecord framing: length, its checksum, the bytes, their checksum; little-endian. */
const record = (payload: Uint8Array): Uint8Array => {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(payload.length), true);
  const checksum = (bytes: Uint8Array): Uint8Array => new Uint8Array(Uint32Array.of(maskedCrc32c(bytes)).buffer);
  return concatBytes([length, checksum(length), payload, checksum(payload)]);
};

/** The first record of an event file. `seconds`: Unix time. */
export const versionEvent = (seconds: number): Uint8Array =>
  record(concatBytes([doubleField(1, seconds), textField(3, "brain.Event:2")]));

const summaryEvent = (seconds: number, step: number, values: readonly Uint8Array[]): Uint8Array =>
  record(
    concatBytes([
      doubleField(1, seconds),
      integerField(2, step),
      bytesField(5, concatBytes(values.map((value) => bytesField(1, value)))),
    ]),
  );

/** One record with several scalars. */
export const scalarsEvent = (seconds: number, step: number, scalars: Readonly<Record<string, number>>): Uint8Array =>
  summaryEvent(
    seconds,
    step,
    Object.entries(scalars).map(([name, value]) => concatBytes([textField(1, name), floatField(2, value)])),
  );

/** One record with a picture. */
export const imageEvent = (
  seconds: number,
  step: number,
  name: string,
  { png, width, height }: EventImage,
): Uint8Array => {
  const image = concatBytes([integerField(1, height), integerField(2, width), integerField(3, 3), bytesField(4, png)]);
  return summaryEvent(seconds, step, [concatBytes([textField(1, name), bytesField(4, image)])]);
};
