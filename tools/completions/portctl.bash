# shellcheck shell=bash
# Completion of portctl for bash.

# _portctl_listed FIELD WORD: fills COMPREPLY with the names or users that the manager lists and
# that begin with WORD. Others have chosen them: compgen -W would carry out what is in them.
_portctl_listed() {
    local name
    while IFS= read -r name; do
        if [[ $name == "$2"* ]]; then
            COMPREPLY+=("$(printf %q "$name")")
        fi
    done < <(portctl -timeout 500 find -json 2>/dev/null |
        grep -o "\"$1\":\"[^\"\\\\]*\"" | sed 's/^[^:]*:"//; s/"$//' | sort -u)
}

# The place of the sub-command in COMP_WORDS, in `at`; that of the cursor if there is none yet.
_portctl_subcommand() {
    at=1
    while [ "$at" -lt "$COMP_CWORD" ]; do
        case ${COMP_WORDS[at]} in
            -host | --host | -port | --port | -timeout | --timeout) at=$((at + 2)) ;;
            -*) at=$((at + 1)) ;;
            *) return ;;
        esac
    done
}

_portctl() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} at words='' i
    local IFS=$' \t\n'
    COMPREPLY=()
    _portctl_subcommand
    for ((i = at + 1; i < COMP_CWORD; ++i)); do
        if [ "${COMP_WORDS[i]}" = -- ]; then # the command of run
            if [ "$i" -eq $((COMP_CWORD - 1)) ] && [[ $word != */* ]]; then
                mapfile -t COMPREPLY < <(compgen -c -- "$word")
            else
                mapfile -t COMPREPLY < <(compgen -f -- "$word")
            fi
            return
        fi
    done
    case $previous in
        -host | --host) mapfile -t COMPREPLY < <(compgen -A hostname -- "$word"); return ;;
        -port | --port | -timeout | --timeout | -count | --count | -wait | --wait) return ;;
        -name | --name) _portctl_listed name "$word"; return ;;
        -user | --user) _portctl_listed user "$word"; return ;;
        *)
            if [ "$at" -ge "$COMP_CWORD" ]; then
                words='list find watch why stats ping doctor run -host -port -timeout -help -version'
            else
                case ${COMP_WORDS[at]} in
                    find) words='-name -user -json' ;;
                    watch) words='-name -user -json -count' ;;
                    list | stats | ping | doctor | why) words='-json' ;;
                    run) words='-count -listen -unique -wait --' ;;
                esac
            fi
            ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _portctl portctl
