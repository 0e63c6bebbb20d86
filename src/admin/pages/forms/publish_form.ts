/** What the form of publishing sent, as an action; or what was wrong with it. */
import { isValidName } from "../../../protocol/names.ts";
import { emptyForm, type PublishForm } from "./publish.tsx";

/** @param body fields of the form, as Hono parses them */
export async function readPublishForm(body: Readonly<Record<string, unknown>>): Promise<PublishForm> {
  const text = (name: string) => typeof body[name] === "string" ? body[name] : "";
  const form: PublishForm = {
    ...emptyForm,
    topic: text("topic").trim(),
    // Browsers send line ends of text areas as CR LF.
    text: text("text").replaceAll("\r\n", "\n"),
    isLines: text("lines") !== "",
    deferSeconds: text("defer"),
    node: text("node"),
  };
  const deferMs = Math.round(Number(form.deferSeconds) * 1000);
  if (!isValidName(form.topic)) return { ...form, problem: `"${form.topic}" cannot name a topic` };
  if (!Number.isFinite(deferMs) || deferMs < 0) {
    return { ...form, problem: `"${form.deferSeconds}" is no number of seconds` };
  }
  const bodies = splitBodies(await readBytes(body.file, form.text), form.isLines);
  if (bodies.length === 0) return { ...form, problem: "There is nothing to publish: the message is empty" };
  return {
    ...form,
    action: {
      kind: "publish",
      topic: form.topic,
      bodies,
      deferMs,
      node: form.node === "" ? null : form.node,
    },
  };
}

/** A file wins over the text. */
async function readBytes(file: unknown, text: string): Promise<Uint8Array> {
  if (file instanceof File && file.size > 0) return new Uint8Array(await file.arrayBuffer());
  return new TextEncoder().encode(text);
}

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** The whole as one body, or one for each line that is not empty; none for nothing. */
export function splitBodies(bytes: Uint8Array, isLines: boolean): Uint8Array[] {
  if (!isLines) return bytes.length === 0 ? [] : [bytes];
  const bodies: Uint8Array[] = [];
  for (let start = 0; start < bytes.length;) {
    const found = bytes.indexOf(LINE_FEED, start);
    const next = found < 0 ? bytes.length : found;
    const end = next > start && bytes[next - 1] === CARRIAGE_RETURN ? next - 1 : next;
    if (end > start) bodies.push(bytes.subarray(start, end));
    start = next + 1;
  }
  return bodies;
}
