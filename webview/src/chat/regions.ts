/** F6 goes round the parts of the page, in reading order. False: there is nowhere to go. */
export function nextRegion(root: Element, back: boolean): boolean {
  const regions = [...root.querySelectorAll<HTMLElement>('[data-region]')];
  const inside = regions.filter((region) => region.contains(document.activeElement));
  const at = inside.length > 0 ? regions.indexOf(inside.at(-1) as HTMLElement) : back ? 0 : -1;
  for (let step = 1; step <= regions.length; step += 1) {
    const region = regions.at((at + (back ? -step : step)) % regions.length);
    if (!region) continue;
    const target = region.matches('[tabindex="0"]')
      ? region
      : region.querySelector<HTMLElement>(
          'textarea, button:not([disabled]):not([tabindex="-1"]), [tabindex="0"], a[href], input',
        );
    if (!target) continue;
    target.focus();
    return true;
  }
  return false;
}
