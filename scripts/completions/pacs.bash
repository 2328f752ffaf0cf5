# bash completion for all pacs-* commands. Each says its options itself, by --completion-words, and
# so stays in step with this file untouched.

# Keywords that people filter by, for pacs-find's Keyword=value.
_pacs_keywords='PatientID= PatientName= PatientBirthDate= PatientSex= StudyDate= StudyTime=
    StudyInstanceUID= StudyDescription= StudyID= AccessionNumber= ModalitiesInStudy=
    ReferringPhysicianName= Modality= SeriesInstanceUID= SeriesNumber= SeriesDescription=
    BodyPartExamined= ProtocolName= StationName= InstitutionName= Manufacturer=
    ManufacturerModelName= SliceThickness= SOPInstanceUID= SOPClassUID= InstanceNumber= Rows=
    Columns= NumberOfFrames='

_pacs()
{
    local command=$1 word=$2 previous=$3
    COMPREPLY=()
    case ${command##*/}:$previous in
        *:-A | *:--archive)
            mapfile -t COMPREPLY < <(compgen -d -- "$word")
            return
            ;;
        pacs-find:-L | pacs-find:--level)
            mapfile -t COMPREPLY < <(compgen -W 'patient study series instance' -- "$word")
            return
            ;;
        pacs-find:-k | pacs-find:--columns | pacs-find:--sort)
            # The last of a list.
            local list=${word%"${word##*,}"}
            mapfile -t COMPREPLY < <(compgen -P "$list" -W "${_pacs_keywords//=/}" -- "${word##*,}")
            return
            ;;
        pacs-export:-o | pacs-export:--output | pacs-export:--manifest)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
            ;;
        pacs-transcode:-o | pacs-transcode:--output)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
            ;;
        pacs-export:--format)
            mapfile -t COMPREPLY < <(compgen -W 'folder zip tar tar.gz tar.xz tar.zst' -- "$word")
            return
            ;;
        pacs-export:--layout)
            mapfile -t COMPREPLY < <(compgen -W 'default tree flat' -- "$word")
            return
            ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$("$command" --completion-words 2>/dev/null)" -- "$word")
    elif [[ ${command##*/} == pacs-find && $word == [A-Z]* && $word != *=* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$_pacs_keywords" -- "$word")
        compopt -o nospace
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames
    fi
}

complete -F _pacs pacs-recv pacs-index pacs-find pacs-export pacs-move pacs-echo pacs-transcode
