/** What ends with the extension. */
export type Subscriptions = { dispose(): unknown }[];
