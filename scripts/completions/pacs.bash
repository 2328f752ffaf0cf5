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
    case $previous in
        -A | --archive)
            mapfile -t COMPREPLY < <(compgen -d -- "$word")
            return
            ;;
        -L | --level)
            mapfile -t COMPREPLY < <(compgen -W 'patient study series instance' -- "$word")
            return
            ;;
        -o | --output)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
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

complete -F _pacs pacs-recv pacs-index pacs-find pacs-export
