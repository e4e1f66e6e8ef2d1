# The parameters of a stack live in one file beside the template, parameters.yaml, which git ignores. This is all that
# `make deploy` knows of them. It reads, in this order and after these assignments,
#
#   part=stack     the stack's parameters, as the AWS CLI prints pairs of a name and a value in JSON
#   part=template  template.yaml
#   part=file      parameters.yaml
#
# and with
#
#   task=write     prints such a file: each parameter with its description, set where the stack has another value
#   task=defaults  prints the template's defaults. SAM would keep the stack's value of a line that is gone
#   task=check     refuses what SAM would pass over or misread in such a file

# The AWS CLI prints each text on a line of its own. A JSON text is a YAML text too.
part == "stack" && /^        "/ {
    text = $0
    gsub(/^ +|,$/, "", text)
    if (key == "") {
        key = substr(text, 2, length(text) - 2)
    } else {
        stack[key] = guarded(text)
        key = ""
    }
}

part == "template" && /^[A-Z]/ { inside = ($1 == "Parameters:") }
part == "template" && inside && /^  [A-Za-z0-9]+:$/ {
    name = substr($1, 1, length($1) - 1)
    names[++count] = name
    reading = ""
}
part == "template" && inside && /^    [A-Z]/ {
    reading = $1
    text = $0
    sub(/^ +[A-Za-z]+: */, "", text)
    if (reading == "Default:") default_of[name] = text
    if (reading == "AllowedValues:" && text != "") choices[name] = text
    if (reading == "Description:" && text != ">-") lines[name] = "# " text "\n"
}
part == "template" && inside && /^      [^ ]/ {
    text = $0
    sub(/^ +/, "", text)
    if (reading == "Description:") lines[name] = lines[name] "# " text "\n"
    if (reading == "AllowedValues:") choices[name] = choices[name] (choices[name] == "" ? "" : ", ") substr(text, 3)
}

# An editor of Windows ends lines so.
part == "file" { sub(/\r$/, "") }
part == "file" && /^( +[^ #]|- )/ && given == "" { wrong("begin with the name of a parameter, in the first column") }
# The items of a list may stand in the first column, too.
part == "file" && /^[^ #-]/ {
    given = $0
    sub(/ *:.*$/, "", given)
    gsub(/"/, "", given)
    text = $0
    sub(/^[^:]*: */, "", text)
    if ($0 !~ /:([ \t]|$)/) wrong("a space is missing after the colon")
    else if (!(given in default_of)) wrong("there is no parameter " given)
    else if (!is_choice(given, text)) wrong(given " must be one of " choices[given])
    if (given in seen) wrong(given " is there twice")
    seen[given] = 1
    if (tolower(text) ~ /^(true|false|yes|no|on|off)[ \t]*(#.*)?$/) wrong("put the value of " given " in quotes")
    # To YAML that is no text, and SAM would send it as Python writes it.
    if (text ~ /^[{]/) wrong("put the value of " given " in single quotes")
}

END {
    if (task == "check") exit failed
    if (task == "write") {
        print "# The parameters of a stack of Segue. A line that begins with # leaves the default, which is shown. `make deploy`"
        print "# makes the stack as this file says, whatever it had before: so keep the file, and change parameters here alone."
        print "# Texts are as in YAML, and \"true\" and \"false\" need their quotes. SAM takes \\\" for \": give a mapping in base64.\n"
    }
    for (i = 1; i <= count; i++) {
        name = names[i]
        if (task == "defaults") {
            print name ": " default_of[name]
        } else {
            printf "%s", lines[name]
            if (choices[name] != "") print "# One of " choices[name] "."
            changed = name in stack && unquoted(stack[name]) != unquoted(default_of[name])
            print (changed ? name ": " stack[name] : "#" name ": " default_of[name]) "\n"
        }
    }
}

function wrong(what) {
    print FILENAME ":" FNR ": " what > "/dev/stderr"
    failed = 1
}

# Whether the value is one of those that the template allows, where it names them.
function is_choice(name, text,    allowed, count, i) {
    if (choices[name] == "") return 1
    sub(/[ \t]+#.*$/, "", text)
    gsub(/["' \t]/, "", text)
    allowed = choices[name]
    gsub(/[]["' ]/, "", allowed)
    count = split(allowed, list, ",")
    for (i = 1; i <= count; i++) if (list[i] == text) return 1
    return 0
}

function unquoted(text) {
    gsub(/^"|"$/, "", text)
    return text
}

# SAM takes a backslash before a quote or a space away, twice. So each needs two more.
function guarded(text,    result, next_one) {
    while (text != "") {
        next_one = substr(text, 1, substr(text, 1, 1) == "\\" ? 2 : 1)
        text = substr(text, length(next_one) + 1)
        result = result next_one
        if (next_one == "\\\\" && (substr(text, 1, 2) == "\\\"" || substr(text, 1, 1) == "'" || substr(text, 1, 1) == " ")) {
            result = result next_one next_one
        }
    }
    return result
}
