-- Within a chat times never fall as seq rises, so a time is found by bisection on the key.
drop index messages_by_time;
