import { explain } from '@berth/client';
import type { Agent, Harness } from '@berth/contract';
import * as vscode from 'vscode';
import type { Hub, Link } from '../common/hub.ts';
import { freeName, harnessChoices, lastModel } from '../common/new-agent.ts';
import { inputStep, pickStep, type Step } from './steps.ts';

interface Choice {
  harness: Harness | null;
  model: string;
  name: string;
}

/** Harness, model, name: what an agent cannot do without. Everything else is in the browser's form. Null: called off. */
export async function newAgent(options: { hub: Hub; link: Link }): Promise<Agent | null> {
  const { hub, link } = options;
  const { agents, harnesses } = hub.state.get();
  const choice: Choice = { harness: null, model: '', name: '' };
  const title = vscode.l10n.t('New Agent');
  let step = 1;
  let wrong = '';
  for (;;) {
    const common = { title, step, totalSteps: 3 };
    if (step === 1) {
      const answer = await pickStep({
        ...common,
        title: vscode.l10n.t('{0}: Harness', title),
        placeholder: vscode.l10n.t('Which kind of coding agent?'),
        items: harnessItems(harnesses),
      });
      if (answer.kind !== 'value') return null;
      if (answer.value.harness === null) {
        await vscode.commands.executeCommand('berth.manageAgents');
        return null;
      }
      choice.harness = answer.value.harness;
      choice.model ||= lastModel(agents, choice.harness.id);
      step = choice.harness.needsModel ? 2 : 3;
      continue;
    }
    const answer: Step<string> =
      step === 2
        ? await inputStep({
            ...common,
            title: vscode.l10n.t('{0}: Model', title),
            placeholder: 'claude-sonnet-4-5',
            prompt: vscode.l10n.t('The name that your LiteLLM has for it.'),
            value: choice.model,
          })
        : await inputStep({
            ...common,
            title: vscode.l10n.t('{0}: Name', title),
            placeholder: vscode.l10n.t('What is it called?'),
            prompt: wrong || vscode.l10n.t('It asks before it writes or runs something.'),
            value: choice.name || freeName(agents, choice.harness?.id ?? ''),
          });
    if (answer.kind === 'cancelled' || !choice.harness) return null;
    if (answer.kind === 'back') {
      step = step === 3 && choice.harness.needsModel ? 2 : 1;
      continue;
    }
    const text = answer.value.trim();
    if (text === '') continue;
    if (step === 2) {
      choice.model = text;
      step = 3;
      continue;
    }
    choice.name = text;
    try {
      const made = await link.client.agents.create({
        name: choice.name,
        harness: choice.harness.id,
        mode: 'ask',
        ...(choice.harness.needsModel ? { model: choice.model } : {}),
      });
      await hub.refresh();
      return made;
    } catch (error) {
      wrong = explain(error);
    }
  }
}

function harnessItems(
  harnesses: readonly Harness[],
): (vscode.QuickPickItem & { harness: Harness | null })[] {
  return [
    ...harnessChoices(harnesses).map(({ harness, icon, description }) => ({
      harness,
      label: harness.title,
      description,
      iconPath: new vscode.ThemeIcon(icon),
    })),
    { harness: null, label: '', kind: vscode.QuickPickItemKind.Separator },
    {
      harness: null,
      label: vscode.l10n.t('All settings, in the browser'),
      iconPath: new vscode.ThemeIcon('link-external'),
    },
  ];
}
