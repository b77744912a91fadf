{% macro as_of() %}DATE '{{ var("as_of") }}'{% endmacro %}
