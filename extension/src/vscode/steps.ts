import * as vscode from 'vscode';

/** What a step answered: a value, one step back, or away. */
export type Step<T> = { kind: 'value'; value: T } | { kind: 'back' } | { kind: 'cancelled' };

interface Common {
  title: string;
  step: number;
  totalSteps: number;
  placeholder: string;
}

/** One of several steps; all but the first have a way back. */
export function pickStep<T extends vscode.QuickPickItem>(
  options: Common & { items: readonly T[] },
): Promise<Step<T>> {
  const pick = vscode.window.createQuickPick<T>();
  pick.items = options.items;
  pick.matchOnDescription = true;
  pick.matchOnDetail = true;
  return run(pick, options, () => pick.selectedItems[0] ?? pick.activeItems[0]);
}

export function inputStep(
  options: Common & { prompt: string; value: string },
): Promise<Step<string>> {
  const input = vscode.window.createInputBox();
  input.value = options.value;
  input.prompt = options.prompt;
  return run(input, options, () => input.value);
}

function run<T>(
  input: vscode.QuickPick<vscode.QuickPickItem> | vscode.InputBox,
  options: Common,
  answer: () => T | undefined,
): Promise<Step<T>> {
  return new Promise((resolve) => {
    input.title = options.title;
    input.step = options.step;
    input.totalSteps = options.totalSteps;
    input.placeholder = options.placeholder;
    input.ignoreFocusOut = true;
    input.buttons = options.step > 1 ? [vscode.QuickInputButtons.Back] : [];
    let result: Step<T> = { kind: 'cancelled' };
    const close = (last: Step<T>): void => {
      result = last;
      input.hide();
    };
    input.onDidTriggerButton((button) => {
      if (button === vscode.QuickInputButtons.Back) close({ kind: 'back' });
    });
    input.onDidAccept(() => {
      const value = answer();
      if (value !== undefined) close({ kind: 'value', value });
    });
    input.onDidHide(() => {
      resolve(result);
      input.dispose();
    });
    input.show();
  });
}
