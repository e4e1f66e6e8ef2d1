// Node has it.
