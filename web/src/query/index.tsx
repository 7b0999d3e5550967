export function Query() { return <p>Query</p>; }
