# The part of check-man.tcl that compares the pages of the Tcl packages with their sources
# and with the packages as they were built. Sourced by that.
# ----------------------------------------------------------------- the package

# The rows {"name", proc, min, max, "usage"} of a table in the sources, as a
# list of name and usage in turn.
proc rows_of {file table} {
    set text [sources $file]
    if {![regexp "struct \\w+?_tcl_method $table\\\[\\\] = \{(.*?)\n\};" $text -> body]} {
        return {}
    }
    set rows {}
    set form "\\{\"(\\w+)\",\\s*\\w+,\\s*-?\\d+,\\s*-?\\d+,\\s*(\\w+|$::string_form)\\}"
    foreach {all name usage} [regexp -all -inline $form $body] {
        # A usage that messages need too is a constant.
        if {[regexp {^\w+$} $usage]} {
            regexp "char $usage\\\[\\\] = ($::string_form)" $text -> usage
        }
        lappend rows $name [string trim [string map {NULL {}} $usage] \"]
    }
    return $rows
}

# The calls in the page, as {subject sub-command ...} and their arguments.
proc calls {subject} {
    set found {}
    foreach use [uses call [page portAllocator.man]] {
        set arguments [dict get $use arguments]
        if {[lindex $arguments 0] eq "allocator"} {
            set of allocator
            set arguments [lrange $arguments 1 end]
        } else {
            set of type
        }
        if {$of eq $subject && [llength [dict get $use methods]]} {
            lappend found [dict get $use methods] $arguments
        }
    }
    return $found
}

proc check_commands {subject file} {
    set wanted {}
    set calls [calls $subject]
    foreach {name usage} [rows_of generic/$file method_table] {
        if {$name ne "info"} {
            lappend wanted $name $usage
        }
    }
    foreach {name usage} [rows_of generic/$file info_table] {
        lappend wanted [list info $name] $usage
    }
    compare "$subject command" [dict keys $wanted] [dict keys $calls]
    foreach {name usage} $wanted {
        if {![string match *...* $usage] && [dict exists $calls $name]} {
            set shown [dict get $calls $name]
            verdict [expr {$shown eq $usage}] "$subject $name: takes \"$usage\", not \"$shown\""
        }
    }
}

proc options_documented {} {
    return [lmap use [uses opt_def [page portAllocator.man]] {lindex [dict get $use text] 0}]
}

# Runs a script with the built packages in a process of its own: an extension
# built with a sanitizer may not load here. Sets the result; false without one.
proc ask_build {folder script result} {
    upvar 1 $result answer
    set script "lappend auto_path [list $folder]\n$script"
    if {![catch {exec [info nameofexecutable] << $script} answer]} {
        return 1
    }
    set reason "the package does not load here: [lindex [split $answer \n] 0]"
    if {[regexp -nocase {asan|tsan|sanitizer|static tls} $answer]} {
        skip $reason
    } else {
        verdict 0 $reason
    }
    return 0
}

proc check_package {folder} {
    set text [sources generic/pa_tcl_option.c]
    set names [lmap {all name} [regexp -all -inline {\{"(-\w+)", "\w+"} $text] {set name}]
    compare "portAllocator option" $names [options_documented]
    check_commands type pa_tcl_type.c
    check_commands allocator pa_tcl_object.c
    if {![ask_build $folder {
        package require portAllocator
        set allocator [portAllocator create %AUTO%]
        puts [list [portAllocator info typemethods] [$allocator info methods] \
            [$allocator info options]]
    } answer]} return
    lassign $answer type allocator options
    foreach {what names documented} [list \
        "type command" $type [concat info [dict keys [calls type]]] \
        "allocator command" $allocator [concat info [dict keys [calls allocator]]] \
        "built option" $options [options_documented]] {
        verdict [llength $names] "the built package has no $what"
        foreach name $names {
            verdict [expr {$name in $documented}] "$what $name: not in the manual"
        }
    }
}

# ------------------------------------------------------- the package ports --

# The calls of the page as the program shows them: `ports` or `port`, the
# sub-command, and its usage, as in "?-timeout ms?".
proc ports_calls {subject} {
    set found {}
    set page [page ports_tcl.man]
    foreach use [uses call $page] {
        set text [string range $page [dict get $use begin] [dict get $use end]]
        regsub -all {\[(?:arg|cmd|method|option) ([^][]*)\]} $text {\1} text
        regsub -all {\[opt (?:"([^"]*)"|([^][]*))\]} $text {?\1\2?} text
        set words [split [string range $text 6 end-1] { }]
        if {[lindex $words 0] eq $subject} {
            lappend found [lindex $words 1] [join [lrange $words 2 end] { }]
        }
    }
    return $found
}

proc ports_defined {form} {
    set found {}
    foreach use [uses def [page ports_tcl.man]] {
        if {[regexp $form [dict get $use text]]} {
            lappend found [dict get $use text]
        }
    }
    return $found
}

# What the pattern captures in the sources of the package.
proc ports_captures {pattern} {
    return [lmap {all name} [regexp -all -inline $pattern [sources ports/ports_tcl*.c]] {set name}]
}

proc check_ports {folder} {
    foreach {subject file} {ports ports_tcl.c port ports_tcl_object.c} {
        set rows [rows_of ports/$file method_table]
        set calls [ports_calls $subject]
        compare "$subject command" [dict keys $rows] [dict keys $calls]
        dict for {name usage} $rows {
            set shown [expr {[dict exists $calls $name] ? [dict get $calls $name] : {nothing}}]
            verdict [expr {$shown eq $usage}] "$subject $name: takes \"$usage\", not \"$shown\""
        }
    }
    compare "ports option" [ports_captures {_option\[\] = \{"(-\w+)"}] \
        [lmap use [uses opt_def [page ports_tcl.man]] {lindex [dict get $use text] 0}]
    compare "ports error class" [concat [ports_captures {\{\w+, "([A-Z]+)",}] \
        [ports_captures {report\(interp, "([A-Z]+)"}]] [ports_defined {^[A-Z]+$}]
    compare "ports list key" [ports_captures {put\(dict, "(\w+)"}] [ports_defined {^[a-z]+$}]
    check_built_ports $folder
}

proc check_built_ports {folder} {
    if {![ask_build $folder {
        package require ports
        close [file tempfile env(PORTS_DIR)]
        file delete $env(PORTS_DIR)
        file mkdir $env(PORTS_DIR)
        file attributes $env(PORTS_DIR) -permissions 0700
        set port [ports create 1]
        catch {ports ?} commands
        catch {$port ?} methods
        $port delete
        file delete -force $env(PORTS_DIR)
        puts [list $commands $methods]
    } answer]} return
    foreach subject {ports port} message $answer {
        regexp {must be (.*)} $message -> names
        compare "built $subject command" [lmap name [split [string map {{or } {}} $names] ,] {
            string trim $name
        }] [dict keys [ports_calls $subject]]
    }
}
