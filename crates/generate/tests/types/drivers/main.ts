import { events, type AnyEvent, type EventType, type EventTypes } from "./events/index.js";

declare const console: { log(line: string): void };

const known: ReadonlySet<string> = new Set(
  Object.values(events as Record<string, { type: string }>).map((event) => event.type),
);

/** Writes an event again, once it has gone through the envelope of its type. */
function again<Type extends EventType>(type: Type, data: EventTypes[Type]): void {
  if (!known.has(type)) {
    throw new Error(`no event is of type ${type}`);
  }
  const sent = JSON.stringify({ specversion: "1.0", id: "1", source: "/s", type, data });
  const event = JSON.parse(sent) as AnyEvent;
  console.log(JSON.stringify(event.data));
}

