# Handles the parameters of a stack for `make deploy`. They are in one file beside the template, parameters.yaml, which
# git ignores. This program reads, in this order and after these assignments:
#
#   part=stack     the stack's parameters, as the AWS CLI prints pairs of a name and a value in JSON
#   part=template  template.yaml
#   part=file      parameters.yaml
#
# The task is one of:
#
#   task=write     prints a new file: each parameter with its description, set if the stack has another value
#   task=defaults  prints the template's defaults, because SAM would keep the stack's value of a removed line
#   task=check     refuses lines of the file that SAM would ignore or misread

# The AWS CLI prints each text on a separate line. A JSON text is also a YAML text.
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

# Editors on Windows end lines with CR LF.
part == "file" { sub(/\r$/, "") }
part == "file" && /^( +[^ #]|- )/ && given == "" { wrong("start the line with the name of a parameter, in the first column") }
# The items of a list may start in the first column too.
part == "file" && /^[^ #-]/ {
    given = $0
    sub(/ *:.*$/, "", given)
    gsub(/"/, "", given)
    text = $0
    sub(/^[^:]*: */, "", text)
    if ($0 !~ /:([ \t]|$)/) wrong("put a space after the colon")
    else if (!(given in default_of)) wrong("the template has no parameter " given "; remove the line or correct the name")
    else if (!is_choice(given, text)) wrong(given " must be one of " choices[given])
    if (given in seen) wrong(given " is set twice; keep one")
    seen[given] = 1
    if (tolower(text) ~ /^(true|false|yes|no|on|off)[ \t]*(#.*)?$/) wrong("put the value of " given " in quotes")
    # YAML reads this as an object, and SAM would send Python's form of it.
    if (text ~ /^[{]/) wrong("put the value of " given " in single quotes")
}

END {
    if (task == "check") exit failed
    if (task == "write") {
        print "# The parameters of a stack of Segue. `make deploy` makes the stack match this file, so keep the file, and change"
        print "# parameters only here. To set one, remove the # before it. A line that starts with # shows the default."
        print "# Answer AlarmEmail first, and SegmentEndpoint if your Segment workspace is in the European Union."
        print "# The file is YAML: put \"true\" and \"false\" in quotes. SAM changes \\\" to \", so give a mapping in base64.\n"
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

function wrong(problem) {
    print FILENAME ":" FNR ": " problem > "/dev/stderr"
    failed = 1
}

# Returns 1 if the template allows the value, or lists no values.
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

# Adds two backslashes to each one before a quote or a space, because SAM removes one there, twice.
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
