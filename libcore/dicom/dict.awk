# Makes the data dictionary's table in C (see dict_table.h) from DCMTK's dicom.dic: lines of
# "(gggg,eeee)<tab>VR<tab>Keyword<tab>VM<tab>version", ranges as (6000-60FF,0010).
#
# Left out: private and group length patterns (dict.c knows them), item delimiters ("na"). DCMTK's own
# prefix RETIRED_ goes: the keywords are those of PS3.6. Of two lines for one tag the later counts.
# For any awk of POSIX.

BEGIN {
    FS = "\t"
    # VRs that depend on the object: what an implicit VR reader takes.
    vr_of["xs"] = "US"
    vr_of["ox"] = "OW"
    vr_of["px"] = "OW"
    vr_of["lt"] = "OW"
    vr_of["up"] = "UL"
}

/^#/ || NF < 5 || $2 == "na" || $5 == "PRIVATE" || $5 == "ILLEGAL" || $5 == "GENERIC" { next }

{
    split(tolower(substr($1, 2, length($1) - 2)), part, ",")
    group = part[1]
    element = part[2]
    tag = substr(group, 1, 4) substr(element, 1, 4)
    if (tag !~ /^[0-9a-f]*$/ || length(tag) != 8) {
        print "dict.awk: line " NR ": " $1 " is no tag" > "/dev/stderr"
        failed = 1
        exit 1
    }
    if (!(tag in vr))
        tags[count++] = tag
    vr[tag] = ($2 in vr_of) ? vr_of[$2] : $2
    keyword[tag] = $3
    sub(/^RETIRED_/, "", keyword[tag])
    vm[tag] = $4
    last_group[tag] = (group ~ /-/) ? substr(group, length(group) - 3) : substr(tag, 1, 4)
    last_element[tag] = (element ~ /-/) ? substr(element, length(element) - 3) : substr(tag, 5)
}

# "1-n" as "1, 255"
function multiplicity(text,    part, n)
{
    n = split(text, part, "-")
    if (n == 1)
        return text + 0 ", " text + 0
    return part[1] + 0 ", " (part[2] ~ /n/ ? 255 : part[2] + 0)
}

# Orders list[first..last] by key[] of its members (heap sort: no bad case, no recursion).
function sort(list, n, key,    i)
{
    for (i = int(n / 2) - 1; i >= 0; i--)
        sift(list, i, n, key)
    for (i = n - 1; i > 0; i--) {
        swap(list, 0, i)
        sift(list, 0, i, key)
    }
}

function swap(list, a, b,    keep)
{
    keep = list[a]
    list[a] = list[b]
    list[b] = keep
}

function sift(list, at, n, key,    child)
{
    while ((child = 2 * at + 1) < n) {
        # "" makes these comparisons of strings: 00280010 and 1e10 look like numbers.
        if (child + 1 < n && key[list[child]] "" < key[list[child + 1]] "")
            child++
        if (key[list[at]] "" >= key[list[child]] "")
            return
        swap(list, at, child)
        at = child
    }
}

END {
    if (failed)
        exit 1
    if (count < 4000) {
        print "dict.awk: only " count + 0 " entries: not the dictionary of DICOM?" > "/dev/stderr"
        exit 1
    }
    # A letter first, so that no key looks like a number.
    for (i = 0; i < count; i++) {
        by_tag[tags[i]] = "t" tags[i]
        by_name[tags[i]] = tolower(keyword[tags[i]])
    }
    sort(tags, count, by_tag)

    print "/* Made by libcore/dicom/dict.awk from DCMTK's dicom.dic. */"
    print "#include \"dicom/dict_table.h\"\n"
    print "const struct dict_entry dict_table[] = {"
    for (i = 0; i < count; i++) {
        t = tags[i]
        place[t] = i
        printf "    {0x%s, VR_%s, %s, \"%s\"},\n", t, vr[t], multiplicity(vm[t]), keyword[t]
        named[i] = t
    }
    print "};\nconst size_t dict_table_count = " count ";\n"

    sort(named, count, by_name)
    print "const unsigned short dict_by_name[] = {"
    for (i = 0; i < count; i++)
        printf "%s%d,%s", i % 16 ? " " : "    ", place[named[i]], i % 16 == 15 ? "\n" : ""
    print "\n};\n"

    print "const struct dict_range dict_ranges[] = {"
    for (i = 0; i < count; i++) {
        t = tags[i]
        if (substr(t, 1, 4) != last_group[t] || substr(t, 5) != last_element[t]) {
            printf "    {0x%s, 0x%s, 0x%s, 0x%s, %d},\n", substr(t, 1, 4), last_group[t],
                substr(t, 5), last_element[t], i
            ranges++
        }
    }
    print "};\nconst size_t dict_range_count = " ranges + 0 ";"
}
