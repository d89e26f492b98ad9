export type * from './chinwag.js';
export type { MyChat } from './chats.js';
export { ChatClient, type Options, type State } from './client.js';
export { isOpenToAll, type AnswerTo, type Asked, type BodyOf, type Traffic } from './connection.js';
export { ChatError } from './errors.js';
export { isPicture, type Pending } from './outbox.js';
export type { Acquaintance } from './people.js';
export { randomId } from './random.js';
export { placeOf, type Timeline } from './timeline.js';
