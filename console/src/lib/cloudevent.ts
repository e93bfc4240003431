/** An event in the CloudEvents JSON format, split into its attributes and its payload. Pure. */

export interface EventParts {
  /** Every attribute, the required ones first. */
  attributes: { name: string; value: string }[];
  /** The payload as people read it. */
  payload: string;
  /** What the payload is: `JSON`, `text`, `binary`, or `none`. */
  kind: 'JSON' | 'text' | 'binary' | 'none';
}

const FIRST = ['id', 'source', 'type', 'subject', 'time', 'specversion', 'datacontenttype', 'dataschema'];

export function eventParts(event: unknown): EventParts {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    return { attributes: [], payload: JSON.stringify(event, null, 2) ?? '', kind: 'JSON' };
  }
  const fields = event as Record<string, unknown>;
  const names = Object.keys(fields).filter((name) => name !== 'data' && name !== 'data_base64');
  const rank = (name: string): number => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  const attributes = names
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
    .map((name) => ({ name, value: plain(fields[name]) }));
  return { attributes, ...payloadOf(fields) };
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

function payloadOf(fields: Record<string, unknown>): Pick<EventParts, 'payload' | 'kind'> {
  const encoded = fields['data_base64'];
  if (typeof encoded === 'string') return binary(encoded);
  const data = fields['data'];
  if (data === undefined || data === null) return { payload: '', kind: 'none' };
  if (typeof data !== 'string') return { payload: JSON.stringify(data, null, 2), kind: 'JSON' };
  return textOrJson(data);
}

/** A text that holds JSON is shown as JSON: some publishers encode twice. */
function textOrJson(data: string): Pick<EventParts, 'payload' | 'kind'> {
  if (!/^\s*[[{]/.test(data)) return { payload: data, kind: 'text' };
  try {
    return { payload: JSON.stringify(JSON.parse(data), null, 2), kind: 'JSON' };
  } catch {
    return { payload: data, kind: 'text' };
  }
}

function binary(encoded: string): Pick<EventParts, 'payload' | 'kind'> {
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
  } catch {
    return { payload: encoded, kind: 'text' };
  }
  try {
    return textOrJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return { payload: hexDump(bytes), kind: 'binary' };
  }
}

/** More bytes than this are not shown. */
const DUMPED_MAX = 4096;

/** Sixteen bytes a line: place, hexadecimal, printable letters. */
export function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let start = 0; start < Math.min(bytes.length, DUMPED_MAX); start += 16) {
    const row = [...bytes.slice(start, start + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const letters = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${start.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${letters}`);
  }
  if (bytes.length > DUMPED_MAX) lines.push(`… ${bytes.length - DUMPED_MAX} bytes more`);
  return lines.join('\n');
}
