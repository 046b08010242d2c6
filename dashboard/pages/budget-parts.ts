/** Owns how the privacy budget reads on the overview. */
import { html, type Markup } from '../html.ts';
import type { BudgetSection } from '../overview/budget.ts';
import { percent } from '../words.ts';
import { facts, when } from './layout.ts';

const DIGITS = 4;
/** Without digits that nobody reads. */
const amount = (value: number): string => String(Number(value.toPrecision(DIGITS)));

export function budgetParts({ facts: budget, releases }: BudgetSection, nowMs: number): Markup {
  const { rho, epsilon, delta, periodDays, periodEndsAt } = budget;
  return html`<section aria-labelledby="h-budget"><h2 id="h-budget">Privacy budget</h2>${facts([
    [
      'Spent',
      `${percent(rho.total === 0 ? 0 : rho.spent / rho.total)}: rho ${amount(rho.spent)} of ${amount(rho.total)}`,
    ],
    ['Together', `epsilon ${amount(epsilon.spent)} of ${amount(epsilon.total)} at delta ${delta}`],
    ['Period', html`${periodDays} days, ends ${when(periodEndsAt, nowMs)}`],
  ])}${
    releases.length === 0
      ? html`<p class="quiet">Nothing was told with noise yet.</p>`
      : html`<div class="scroll"><table><thead><tr><th scope="col">Release</th><th scope="col">Drawn</th><th scope="col" class="number">Rho</th></tr></thead><tbody>${releases.map(({ release, at, rho: cost }) => html`<tr><th scope="row">${release}</th><td>${when(at, nowMs)}</td><td class="number">${amount(cost)}</td></tr>`)}</tbody></table></div>`
  }</section>`;
}
