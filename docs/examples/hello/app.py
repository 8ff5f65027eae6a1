"""Greet whoever the event names."""
import logging

log = logging.getLogger()
log.setLevel(logging.INFO)


def handler(event, context):
    name = event.get("name", "World")
    log.info("greeting %s for request %s", name, context.aws_request_id)
    return {"greeting": f"Hello, {name}!", "memory_mb": context.memory_limit_in_mb}
