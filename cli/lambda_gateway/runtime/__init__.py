"""Lambda's side: functions, their processes and the runtime API."""
