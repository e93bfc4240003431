/** The page and its state, all in the address: `#/consumers?sort=lag&open=billing/OrderPlaced`. */

export const PAGES = ['now', 'flow', 'consumers', 'dead-letters'] as const;
export type PageName = (typeof PAGES)[number];

export const PAGE_TITLES: Record<PageName, string> = {
  now: 'Now',
  flow: 'Flow',
  consumers: 'Consumers',
  'dead-letters': 'Dead letters',
};

export interface Place {
  page: PageName;
  parameters: URLSearchParams;
}

/** Reads a hash; what is not known leads to “Now”. */
export function parseHash(hash: string): Place {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const page = PAGES.find((name) => name === path) ?? 'now';
  return { page, parameters: new URLSearchParams(search) };
}

/** The address of a page; parameters that are null or empty are left out. Slashes and colons stay readable. */
export function href(page: PageName, parameters: Record<string, string | null> = {}): string {
  const search = new URLSearchParams(
    Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== null && entry[1] !== ''),
  );
  const query = search.toString().replaceAll('%2F', '/').replaceAll('%3A', ':');
  return `#/${page}${query ? `?${query}` : ''}`;
}

class Router {
  #place = $state.raw<Place>(parseHash(location.hash));

  get page(): PageName {
    return this.#place.page;
  }

  /** A parameter of the address, or `null`. */
  parameter(name: string): string | null {
    return this.#place.parameters.get(name);
  }

  /** Starts to follow the address bar. */
  start(): void {
    addEventListener('hashchange', () => {
      this.#place = parseHash(location.hash);
    });
  }

  go(page: PageName, parameters: Record<string, string | null> = {}): void {
    location.hash = href(page, parameters);
  }

  /** The address of this page with some parameters changed. */
  with(changes: Record<string, string | null>): string {
    return href(this.page, { ...Object.fromEntries(this.#place.parameters), ...changes });
  }

  /** Opens something on this page: “back” closes it again. */
  open(changes: Record<string, string | null>): void {
    location.hash = this.with(changes);
  }

  /** Changes a filter or an order: “back” leaves the page. */
  adjust(changes: Record<string, string | null>): void {
    const address = this.with(changes);
    history.replaceState(null, '', address);
    this.#place = parseHash(address);
  }
}

export const router = new Router();
