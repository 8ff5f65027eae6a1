"""A small address book in SQLite: create, read, update, delete.

The file is in /tmp, the one place a function may write. It lives as long as the instance: a warm request finds
what the one before left, a cold one starts empty.

event: {"steps": [{"do": "create", "name": ..., "email": ...}, {"do": "read", "name": ...}, ...]}
reply: {"results": [one a step], "people": all that is there now}
"""
import sqlite3

db = sqlite3.connect("/tmp/people.db", isolation_level=None)
db.row_factory = sqlite3.Row
db.execute("CREATE TABLE IF NOT EXISTS people (name TEXT PRIMARY KEY, email TEXT NOT NULL) STRICT")


def create(step):
    db.execute("INSERT INTO people (name, email) VALUES (?, ?)", (step["name"], step["email"]))
    return {"created": step["name"]}


def read(step):
    row = db.execute("SELECT name, email FROM people WHERE name = ?", (step["name"],)).fetchone()
    return dict(row) if row else None


def update(step):
    changed = db.execute("UPDATE people SET email = ? WHERE name = ?", (step["email"], step["name"])).rowcount
    return {"updated": changed}


def delete(step):
    return {"deleted": db.execute("DELETE FROM people WHERE name = ?", (step["name"],)).rowcount}


ACTIONS = {"create": create, "read": read, "update": update, "delete": delete}


def handler(event, context):
    db.execute("BEGIN")
    try:
        results = [ACTIONS[step["do"]](step) for step in event["steps"]]
        people = [dict(row) for row in db.execute("SELECT name, email FROM people ORDER BY name")]
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    print(f"{len(results)} steps, {len(people)} people, SQLite {sqlite3.sqlite_version}")
    return {"results": results, "people": people}
