/** Keys that work on every page. */

import { href, type PageName } from './router.svelte';

/** The second key after `g`. */
export const GO_TO: Record<string, PageName> = { n: 'now', f: 'flow', c: 'consumers', d: 'dead-letters' };

/** How long `g` waits for its second key, in milliseconds. */
const CHORD_MS = 1500;

export interface Actions {
  help: () => void;
  pause: () => void;
  theme: () => void;
}

/** Whether keys belong to what has the focus: a field, or an open dialog. */
export function typing(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false;
  if (target instanceof HTMLInputElement && ['checkbox', 'radio', 'button'].includes(target.type)) return false;
  return target.closest('input, textarea, select, [contenteditable], dialog') !== null;
}

/** Until when the next key belongs to `g`; on the clock of events. */
let chordUntil = 0;

/** Whether the event is a plain key that a page may use. */
export function plainKey(event: KeyboardEvent): boolean {
  return bare(event) && event.timeStamp >= chordUntil;
}

function bare(event: KeyboardEvent): boolean {
  return !event.defaultPrevented && !event.ctrlKey && !event.metaKey && !event.altKey && !typing(event.target);
}

/** Returns the listener for the whole window. */
export function shortcuts(actions: Actions): (event: KeyboardEvent) => void {
  return (event) => {
    if (!bare(event)) return;
    if (event.timeStamp < chordUntil) {
      chordUntil = 0;
      const page = GO_TO[event.key];
      if (page === undefined) return;
      event.preventDefault();
      location.hash = href(page);
      return;
    }
    if (event.key === 'g') chordUntil = event.timeStamp + CHORD_MS;
    else if (event.key === '?') act(event, actions.help);
    else if (event.key === 'p') act(event, actions.pause);
    else if (event.key === '\\') act(event, actions.theme);
    else if (event.key === '/') act(event, search);
  };
}

function act(event: KeyboardEvent, action: () => void): void {
  event.preventDefault();
  action();
}

/** Goes to the page's search field; a page without one leads to the consumers'. */
function search(): void {
  const field = document.querySelector<HTMLInputElement>('input[type="search"]');
  if (field !== null) {
    field.focus();
    field.select();
    return;
  }
  location.hash = href('consumers', { search: '1' });
}
