import {
  defaultRangeExtractor,
  elementScroll,
  measureElement,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
  type Range,
  type VirtualItem,
} from '@tanstack/virtual-core';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** Within this many pixels of the end the view follows it. A larger zone would pull back a person who just began to read upwards. */
export const followPx = 2;

export interface Window {
  readonly items: readonly VirtualItem[];
  readonly height: number;
  readonly following: boolean;
  readonly measure: (node: Element | null) => void;
  readonly toEnd: () => void;
  readonly toIndex: (index: number) => void;
  /** The part that can be seen, in the list's own pixels. */
  seen(): { top: number; bottom: number };
  readonly startOf: (index: number) => number;
}

/**
 * Only the rows in view are in the page. The last one is followed while the person stands at the end; any gesture upwards lets go.
 * A row that has the focus stays, wherever the person scrolls, and rows added above do not move what is being read.
 */
export function useWindow(options: {
  keys: readonly string[];
  scroller: () => HTMLElement | null;
  estimate: (index: number) => number;
}): Window {
  const [, draw] = useState(0);
  const following = useRef(true);
  const focused = useRef<number | null>(null);
  const { keys, scroller, estimate } = options;
  const held = useRef<Virtualizer<HTMLElement, Element> | null>(null);

  const settings = {
    count: keys.length,
    getScrollElement: scroller,
    estimateSize: estimate,
    getItemKey: (index: number) => keys[index] ?? index,
    overscan: 6,
    anchorTo: 'end' as const,
    scrollEndThreshold: followPx,
    paddingEnd: 8,
    paddingStart: 12,
    observeElementRect,
    observeElementOffset,
    measureElement,
    scrollToFn: elementScroll,
    rangeExtractor: (range: Range) => {
      const indexes = defaultRangeExtractor(range);
      const kept = focused.current;
      if (kept !== null && kept < range.count && !indexes.includes(kept)) {
        indexes.push(kept);
        indexes.sort((a, b) => a - b);
      }
      return indexes;
    },
    onChange: () => draw((n) => n + 1),
  };
  held.current ??= new Virtualizer<HTMLElement, Element>(settings);
  const list = held.current;
  list.setOptions(settings);

  useLayoutEffect(() => list._didMount(), [list]);
  useLayoutEffect(() => {
    list._willUpdate();
    const element = scroller();
    if (following.current && element) element.scrollTop = element.scrollHeight;
  });

  useEffect(() => {
    const element = scroller();
    if (!element) return;
    const set = (next: boolean) => {
      if (following.current === next) return;
      following.current = next;
      draw((n) => n + 1);
    };
    let last = { top: element.scrollTop, height: 0, view: 0 };
    const atEnd = () => element.scrollTop + element.clientHeight >= element.scrollHeight - followPx;
    const onScroll = () => {
      const { scrollTop: top, scrollHeight: height, clientHeight: view } = element;
      // Where the page itself became shorter the browser moves up: nobody asked for that, and it lets nothing go.
      const moved = height === last.height && view === last.view;
      const upwards = moved && top < last.top - followPx;
      last = { top, height, view };
      if (atEnd()) set(true);
      else if (upwards) set(false);
    };
    const letGo = () => {
      if (element.scrollHeight > element.clientHeight) set(false);
    };
    const onWheel = (event: WheelEvent) => {
      if (event.deltaY < 0) letGo();
    };
    const onKey = (event: KeyboardEvent) => {
      if (['ArrowUp', 'PageUp', 'Home'].includes(event.key)) letGo();
    };
    let touchY = 0;
    const onTouch = (event: TouchEvent) => {
      const y = event.touches[0]?.clientY ?? 0;
      if (event.type === 'touchmove' && y > touchY) letGo();
      touchY = y;
    };
    const onFocus = (event: FocusEvent) => {
      const row = (event.target as Element | null)?.closest('[data-index]');
      focused.current = row ? Number(row.getAttribute('data-index')) : null;
    };
    const onBlur = () => {
      focused.current = null;
    };
    const passive = { passive: true };
    element.addEventListener('scroll', onScroll, passive);
    element.addEventListener('wheel', onWheel, passive);
    element.addEventListener('keydown', onKey);
    element.addEventListener('touchstart', onTouch, passive);
    element.addEventListener('touchmove', onTouch, passive);
    element.addEventListener('focusin', onFocus);
    element.addEventListener('focusout', onBlur);
    // The dock below grows and shrinks; who follows the end keeps it in view.
    const resized = new ResizeObserver(() => {
      if (following.current) element.scrollTop = element.scrollHeight;
    });
    resized.observe(element);
    return () => {
      element.removeEventListener('scroll', onScroll);
      element.removeEventListener('wheel', onWheel);
      element.removeEventListener('keydown', onKey);
      element.removeEventListener('touchstart', onTouch);
      element.removeEventListener('touchmove', onTouch);
      element.removeEventListener('focusin', onFocus);
      element.removeEventListener('focusout', onBlur);
      resized.disconnect();
    };
  }, [list]);

  return {
    items: list.getVirtualItems(),
    height: list.getTotalSize(),
    following: following.current,
    measure: (node) => list.measureElement(node),
    toEnd: () => {
      following.current = true;
      const element = scroller();
      if (element) element.scrollTop = element.scrollHeight;
      draw((n) => n + 1);
    },
    toIndex: (index) => {
      following.current = false;
      list.scrollToIndex(index, { align: 'start' });
    },
    seen: () => {
      const element = scroller();
      const top = element?.scrollTop ?? 0;
      return { top, bottom: top + (element?.clientHeight ?? 0) };
    },
    startOf: (index) => list.measurementsCache[index]?.start ?? 0,
  };
}
