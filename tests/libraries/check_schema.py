"""Checks TOML documents against a JSON schema, with the library that most tools use.

Standard input is {"schema": {...}, "documents": ["..."]}. Standard output is a list with the faults of each document.
"""

import json
import sys
import tomllib

import jsonschema

given = json.load(sys.stdin)
jsonschema.Draft7Validator.check_schema(given["schema"])
validator = jsonschema.Draft7Validator(given["schema"])
faults = [[error.message for error in validator.iter_errors(tomllib.loads(text))] for text in given["documents"]]
json.dump(faults, sys.stdout)
